import {
  defaultAllowProfile,
  defaultTier,
  fixedTiers,
  formerPolicyNames,
  type KindName,
  type Problem,
  type Resource,
} from "@caracal/resources";
import type { ResourceClient, ResourceOutcome } from "./resource-client.ts";
import { type ResourceIdentity, resourceMessage } from "./resource-error.ts";

const tieredKinds = [
  "GlobalNetworkPolicy",
  "NetworkPolicy",
  "StagedGlobalNetworkPolicy",
  "StagedNetworkPolicy",
] as const satisfies readonly KindName[];

type TieredPolicy = Extract<Resource, { kind: (typeof tieredKinds)[number] }>;

/** Names that a resource of this identity may be stored under by an older Calico. */
export function formerIdentities<K extends KindName>(
  identity: ResourceIdentity<K>,
): readonly ResourceIdentity<K>[] {
  if (!tieredKinds.some((kind) => kind === identity.kind)) return [];
  return formerPolicyNames(identity.name).map((name) => ({ ...identity, name }));
}

/** Whether this is the profile that is always there and never stored. */
export function isVirtual({ kind, name }: ResourceIdentity): boolean {
  return kind === "Profile" && name === defaultAllowProfile.metadata.name;
}

/**
 * What a new policy needs of the tiers: its own must be there, and a name that begins like another tier's would be read as
 * that tier's by Calico's older tools.
 */
export async function checkTierOf(client: ResourceClient, resource: Resource): Promise<readonly Problem[]> {
  if (!isTiered(resource)) return [];
  const { tier = defaultTier } = resource.spec;
  if (tier !== defaultTier) {
    const found = await client.get("Tier", tier);
    if (found.kind === "failed") {
      const reason = found.reason === "missing" ? "the tier does not exist" : found.message;
      return [{ path: "spec.tier", field: "Spec.Tier", found: tier, reason }];
    }
  }
  const { name } = resource.metadata;
  const dot = name.indexOf(".");
  const prefix = name.slice(0, Math.max(dot, 0));
  if (prefix === "" || prefix === tier) return [];
  const isTier = prefix === defaultTier || (await client.get("Tier", prefix)).kind === "ok";
  const reason = `policy name begins with the name of the tier ${prefix}, but is in tier ${tier}`;
  return isTier ? [{ path: "metadata.name", field: "Metadata.Name", found: name, reason }] : [];
}

/** Why a tier cannot be deleted, if it cannot: it is one that every cluster has, or policies are in it. */
export async function checkTierDelete(
  client: ResourceClient,
  name: string,
): Promise<ResourceOutcome | undefined> {
  const refuse = (reason: string): ResourceOutcome => ({
    kind: "failed",
    reason: "refused",
    message: resourceMessage.unsupported("delete", { kind: "Tier", name }, reason),
  });
  if (Object.hasOwn(fixedTiers, name)) return refuse(`Cannot delete ${name} tier`);
  for (const kind of tieredKinds) {
    const { items } = await client.list(kind);
    if (items.some(({ spec }) => (spec.tier ?? defaultTier) === name)) {
      return refuse("Cannot delete a non-empty tier");
    }
  }
  return undefined;
}

function isTiered(resource: Resource): resource is TieredPolicy {
  return tieredKinds.some((kind) => kind === resource.kind);
}
