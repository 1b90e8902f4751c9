import { Auth, KV, Watch, type Wire, wireMethod } from "@caracal/etcd-api";

/** The methods the store calls, for grpc-js. */
export const authenticate: Wire<typeof Auth.method.authenticate, Buffer> = wireMethod(
  Auth.method.authenticate,
  toBuffer,
);
export const range: Wire<typeof KV.method.range, Buffer> = wireMethod(KV.method.range, toBuffer);
export const txn: Wire<typeof KV.method.txn, Buffer> = wireMethod(KV.method.txn, toBuffer);
export const compact: Wire<typeof KV.method.compact, Buffer> = wireMethod(KV.method.compact, toBuffer);
export const watch: Wire<typeof Watch.method.watch, Buffer> = wireMethod(Watch.method.watch, toBuffer);

function toBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
