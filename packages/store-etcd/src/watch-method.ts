import { Watch, type Wire, wireMethod } from "@caracal/etcd-api";

/** etcd's watch, for grpc-js; in a file of its own, since both take a while to load. */
export const watch: Wire<typeof Watch.method.watch, Buffer> = wireMethod(Watch.method.watch, (bytes) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
);
