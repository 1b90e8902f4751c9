import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

/** A message, or its short form: only the fields that matter. */
export type Init<Schema extends DescMessage> = MessageInitShape<Schema>;

/** The short form alone. */
export type Fields<Schema extends DescMessage> = Exclude<Init<Schema>, { readonly $typeName: string }>;

/**
 * One gRPC method as gRPC libraries want it: its path, and bytes both ways. Senders may use the short form of a message.
 * `Bytes` is the byte type of the library.
 */
export interface WireMethod<RequestInit, Request, ResponseInit, Response, Bytes> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: RequestInit) => Bytes;
  readonly requestDeserialize: (bytes: Uint8Array) => Request;
  readonly responseSerialize: (response: ResponseInit) => Bytes;
  readonly responseDeserialize: (bytes: Uint8Array) => Response;
}

/** The `WireMethod` of a generated method: `Wire<typeof KV.method.put, Buffer>`. */
export type Wire<
  Method extends { readonly input: DescMessage; readonly output: DescMessage },
  Bytes,
> = WireMethod<
  Init<Method["input"]>,
  MessageShape<Method["input"]>,
  Init<Method["output"]>,
  MessageShape<Method["output"]>,
  Bytes
>;

/** The wire form of a method of a generated service; `wrap` makes the library's byte type of a view, without a copy. */
export function wireMethod<Input extends DescMessage, Output extends DescMessage, Bytes>(
  method: DescMethod & { readonly input: Input; readonly output: Output },
  wrap: (bytes: Uint8Array<ArrayBuffer>) => Bytes,
): WireMethod<Init<Input>, MessageShape<Input>, Init<Output>, MessageShape<Output>, Bytes> {
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
