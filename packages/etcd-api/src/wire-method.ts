import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

/**
 * One gRPC method as gRPC libraries want it: its path, and bytes both ways. Either side may give a message in its short
 * form, with only the fields that matter. `Bytes` is the byte type of the library.
 */
export interface WireMethod<Input extends DescMessage, Output extends DescMessage, Bytes> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: MessageInitShape<Input>) => Bytes;
  readonly requestDeserialize: (bytes: Uint8Array) => MessageShape<Input>;
  readonly responseSerialize: (response: MessageInitShape<Output>) => Bytes;
  readonly responseDeserialize: (bytes: Uint8Array) => MessageShape<Output>;
}

/** The wire form of a method of a generated service; `wrap` makes the library's byte type of a view, without a copy. */
export function wireMethod<Input extends DescMessage, Output extends DescMessage, Bytes>(
  method: DescMethod & { readonly input: Input; readonly output: Output },
  wrap: (bytes: Uint8Array<ArrayBuffer>) => Bytes,
): WireMethod<Input, Output, Bytes> {
  const { input, output, methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (request) => wrap(toBinary(input, create(input, request))),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (response) => wrap(toBinary(output, create(output, response))),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}
