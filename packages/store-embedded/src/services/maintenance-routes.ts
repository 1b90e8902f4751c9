import { Auth, Cluster, Maintenance, wireMethod } from "@caracal/etcd-api";
import type { EmbeddedStore } from "../embedded-store.ts";
import { EtcdError, Refusal } from "../etcd-error.ts";
import { type Route, toBuffer, unary } from "./serve.ts";

/** The etcd release whose API and texts these are. */
const apiVersion = "3.4.0";
const memberName = "caracal";

/** What a one-member cluster without users says of itself. */
export function maintenanceRoutes(
  store: EmbeddedStore,
  clientUrls: () => readonly string[],
): readonly Route[] {
  return [
    unary(wireMethod(Maintenance.method.status, toBuffer), () => {
      const { total, used } = store.database.size();
      // There is no raft log: every revision is one entry of it.
      const index = store.revisions.newest;
      return {
        header: store.header(),
        version: apiVersion,
        dbSize: total,
        dbSizeInUse: used,
        leader: store.memberId,
        raftIndex: index,
        raftAppliedIndex: index,
        raftTerm: store.term,
      };
    }),
    unary(wireMethod(Maintenance.method.alarm, toBuffer), () => ({ header: store.header() })),
    unary(wireMethod(Maintenance.method.defragment, toBuffer), () => {
      store.database.defragment();
      return {};
    }),
    unary(wireMethod(Cluster.method.memberList, toBuffer), () => ({
      // Members have no revision.
      header: store.header(0n),
      members: [{ ID: store.memberId, name: memberName, clientURLs: [...clientUrls()] }],
    })),
    unary(wireMethod(Auth.method.authStatus, toBuffer), () => ({ header: store.header() })),
    unary(wireMethod(Auth.method.authDisable, toBuffer), () => ({ header: store.header() })),
    unary(wireMethod(Auth.method.authEnable, toBuffer), () => {
      throw new EtcdError(Refusal.rootUserMissing);
    }),
    unary(wireMethod(Auth.method.authenticate, toBuffer), () => {
      throw new EtcdError(Refusal.authNotEnabled);
    }),
  ];
}
