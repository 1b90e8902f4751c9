import { Auth, KV, Watch, type Wire, type WireMethod, wireMethod } from "@caracal/etcd-api";
import { framePrefixBytes } from "./message-parts.ts";

/** A method with one request and one answer. */
export interface UnaryMethod<Request, Response> {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The request as gRPC sends it, behind its prefix. */
  readonly frame: (request: Request) => Buffer;
  readonly read: (answer: Uint8Array) => Response;
}

type Unary<Method extends Parameters<typeof wireMethod>[0]> =
  Wire<Method, Buffer> extends WireMethod<infer Init, infer _Request, infer _Answer, infer Response, Buffer>
    ? UnaryMethod<Init, Response>
    : never;

/** The methods the store calls. */
export const authenticate: Unary<typeof Auth.method.authenticate> = unary(
  wireMethod(Auth.method.authenticate, toBuffer),
);
export const range: Unary<typeof KV.method.range> = unary(wireMethod(KV.method.range, toBuffer));
export const txn: Unary<typeof KV.method.txn> = unary(wireMethod(KV.method.txn, toBuffer));
export const compact: Unary<typeof KV.method.compact> = unary(wireMethod(KV.method.compact, toBuffer));
/** For grpc-js. */
export const watch: Wire<typeof Watch.method.watch, Buffer> = wireMethod(Watch.method.watch, toBuffer);

function unary<RequestInit, Request, ResponseInit, Response>({
  path,
  requestSerialize,
  responseDeserialize,
}: WireMethod<RequestInit, Request, ResponseInit, Response, Buffer>): UnaryMethod<RequestInit, Response> {
  const frame = (request: RequestInit): Buffer => {
    const message = requestSerialize(request);
    const framed = Buffer.allocUnsafe(framePrefixBytes + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, framePrefixBytes);
    return framed;
  };
  return { path, frame, read: responseDeserialize };
}

function toBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
