import { Lease, wireMethod } from "@caracal/etcd-api";
import type { EmbeddedStore } from "../embedded-store.ts";
import { type Route, stream, toBuffer, unary } from "./serve.ts";

/** etcd's time to live of a lease that is not there. */
const goneTtl = -1n;

/** The Lease service. */
export function leaseRoutes(store: EmbeddedStore): readonly Route[] {
  const { leases, history } = store;
  return [
    unary(wireMethod(Lease.method.leaseGrant, toBuffer), async ({ ID, TTL }) => {
      const { id, ttlSeconds } = await leases.grant(ID, TTL);
      return { header: store.header(), ID: id, TTL: ttlSeconds };
    }),
    unary(wireMethod(Lease.method.leaseRevoke, toBuffer), async ({ ID }) => {
      return { header: store.header(await leases.revoke(ID)) };
    }),
    unary(wireMethod(Lease.method.leaseTimeToLive, toBuffer), ({ ID, keys }) => {
      const header = store.header();
      const time = leases.timeToLive(ID);
      if (time === undefined) return { header, ID, TTL: goneTtl };
      const held = keys ? [...history.keysOfLease(ID)] : [];
      return { header, ID, TTL: time.left, grantedTTL: time.granted, keys: held };
    }),
    unary(wireMethod(Lease.method.leaseLeases, toBuffer), () => {
      return { header: store.header(), leases: leases.ids().map((ID) => ({ ID })) };
    }),
    stream(wireMethod(Lease.method.leaseKeepAlive, toBuffer), (call) => {
      call.on("data", ({ ID }) => {
        call.write({ header: store.header(), ID, TTL: leases.keepAlive(ID) ?? 0n });
      });
      call.on("end", () => call.end());
      // A client that goes away ends its stream with an error; there is nothing to clean up.
      call.on("error", () => {});
    }),
  ];
}
