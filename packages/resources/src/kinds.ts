import type { Kind } from "./kind.ts";
import { type BgpConfiguration, bgpConfigurationKind } from "./kinds/bgp-configuration.ts";
import { type BgpFilter, bgpFilterKind } from "./kinds/bgp-filter.ts";
import { type BgpPeer, bgpPeerKind } from "./kinds/bgp-peer.ts";
import { type ClusterInformation, clusterInformationKind } from "./kinds/cluster-information.ts";
import { type IpPool, ipPoolKind } from "./kinds/ip-pool.ts";
import { type IpReservation, ipReservationKind } from "./kinds/ip-reservation.ts";
import { type IpamConfiguration, ipamConfigurationKind } from "./kinds/ipam-configuration.ts";
import { type Node, nodeKind } from "./kinds/node.ts";
import { type WorkloadEndpoint, workloadEndpointKind } from "./kinds/workload-endpoint.ts";
import { display, problem, type Problem } from "./problem.ts";
import { isRecord, type Reading } from "./schema-reader.ts";
import { apiVersion } from "./resource-schema.ts";
import { nearest } from "./suggest.ts";

/** The resource type of every kind. */
export interface Resources {
  readonly BGPConfiguration: BgpConfiguration;
  readonly BGPFilter: BgpFilter;
  readonly BGPPeer: BgpPeer;
  readonly ClusterInformation: ClusterInformation;
  readonly IPAMConfiguration: IpamConfiguration;
  readonly IPPool: IpPool;
  readonly IPReservation: IpReservation;
  readonly Node: Node;
  readonly WorkloadEndpoint: WorkloadEndpoint;
}

export type KindName = keyof Resources;

/** Any resource; `kind` tells which. */
export type Resource = Resources[KindName];

/** Every kind, by the name in its documents. */
export const kinds: { readonly [Name in KindName]: Kind<Resources[Name]> } = {
  BGPConfiguration: bgpConfigurationKind,
  BGPFilter: bgpFilterKind,
  BGPPeer: bgpPeerKind,
  ClusterInformation: clusterInformationKind,
  IPAMConfiguration: ipamConfigurationKind,
  IPPool: ipPoolKind,
  IPReservation: ipReservationKind,
  Node: nodeKind,
  WorkloadEndpoint: workloadEndpointKind,
};

const byAlias: ReadonlyMap<string, Kind<Resource>> = new Map(
  Object.values(kinds).flatMap((kind: Kind<Resource>) => kind.aliases.map((alias) => [alias, kind] as const)),
);

/** Whether `name` is exactly a kind's name, as in documents. */
export function isKindName(name: string): name is KindName {
  return Object.hasOwn(kinds, name);
}

/** The kind that a person's word names, in any case: `ippool`, `IPPools`, `pool`. */
export function findKind(word: string): Kind<Resource> | undefined {
  return byAlias.get(word.toLowerCase());
}

/** Reads one document of any kind. A user's is strict and checked; a stored one is read tolerantly. */
export function parseResource(document: unknown, source: "user" | "store"): Reading<Resource> {
  if (!isRecord(document))
    return { kind: "bad", problems: [problem("", document, "must be a mapping of fields")] };
  const { kind: name, apiVersion: version } = document;
  if (typeof name !== "string" || name === "") {
    return { kind: "bad", problems: [problem("kind", undefined, "is required", { allowed: kindNames })] };
  }
  if (!isKindName(name)) {
    const hint = nearest(name, Object.keys(kinds));
    const reason =
      hint === undefined ? "unknown resource type" : `unknown resource type, did you mean ${hint}?`;
    return { kind: "bad", problems: [problem("kind", name, reason, { allowed: kindNames })] };
  }
  if (version !== apiVersion) {
    const found = version === undefined || version === null ? undefined : display(version);
    const reason = found === undefined ? "is required" : "unknown API version";
    return { kind: "bad", problems: [problem("apiVersion", found, reason, { allowed: apiVersion })] };
  }
  return kinds[name].parse(document, source);
}

/** Everything wrong with a resource as a user's input. */
export function validate(resource: unknown): readonly Problem[] {
  const reading = parseResource(resource, "user");
  return reading.kind === "ok" ? [] : reading.problems;
}

/** The resource with the defaults of its schema filled in, as Calico's client does when it reads and writes. */
export function applyDefaults(resource: Resource): Resource {
  const reading = parseResource(resource, "store");
  return reading.kind === "ok" ? reading.value : resource;
}

const kindNames = Object.keys(kinds).join(", ");
