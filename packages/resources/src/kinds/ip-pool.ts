import { IpAddress, Prefix } from "@caracal/net";
import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind, type RawDocument } from "../kind.ts";
import { problem, type Problem } from "../problem.ts";
import { choice, conditionsStatusSchema, resourceWithStatusSchema, setOf, text } from "../resource-schema.ts";
import { isRecord, type Reading } from "../schema-reader.ts";

const encapsulationModes = ["Never", "Always", "CrossSubnet"] as const;

/** When packets to other nodes are wrapped. */
export type EncapsulationMode = (typeof encapsulationModes)[number];

const ipPoolSchema = resourceWithStatusSchema(
  "IPPool",
  Type.Object(
    {
      cidr: text("ipOrCidr", { description: "The range addresses are taken from. Cannot be changed." }),
      vxlanMode: Type.Optional(choice(encapsulationModes, { default: "Never" })),
      ipipMode: Type.Optional(choice(encapsulationModes, { default: "Never" })),
      natOutgoing: Type.Optional(Type.Boolean({ description: "Masquerade traffic that leaves the pools." })),
      disabled: Type.Optional(
        Type.Boolean({ description: "Assign no addresses and keep routes out of peers." }),
      ),
      disableBGPExport: Type.Optional(Type.Boolean()),
      blockSize: Type.Optional(
        Type.Integer({ description: "Prefix length of a node's block: 20–32 (26), IPv6 116–128 (122)." }),
      ),
      nodeSelector: Type.Optional(text("selector", { default: "all()" })),
      namespaceSelector: Type.Optional(text("selector")),
      allowedUses: Type.Optional(
        setOf(choice(["Workload", "Tunnel", "LoadBalancer"]), { default: ["Workload", "Tunnel"] }),
      ),
      assignmentMode: Type.Optional(choice(["Automatic", "Manual"], { default: "Automatic" })),
    },
    { default: {} },
  ),
  conditionsStatusSchema,
);

/** A range of workload and tunnel addresses. */
export type IpPool = Immutable<Static<typeof ipPoolSchema>>;

/** Prefix length of a block where the pool does not say. */
export function defaultBlockSize(family: 4 | 6): number {
  return family === 4 ? 26 : 122;
}

/** The shortest and the longest prefix that a block may have. */
export function blockSizeLimits(family: 4 | 6): readonly [smallest: number, largest: number] {
  return family === 4 ? [20, 32] : [116, 128];
}

export const ipPoolKind: Kind<IpPool> = defineKind({
  name: "IPPool",
  plural: "ippools",
  aliases: ["ippool", "ippools", "ipp", "ipps", "pool", "pools"],
  schema: ipPoolSchema,
  immutableFields: [
    { path: "spec.cidr", field: "IPPool.Spec.CIDR", reason: "IPPool CIDR cannot be modified" },
    { path: "spec.blockSize", field: "IPPool.Spec.BlockSize", reason: "IPPool BlockSize cannot be modified" },
    {
      path: "spec.allowedUses",
      field: "IPPool.Spec.AllowedUses",
      reason: "a LoadBalancer pool cannot be changed to another use",
      isFixed: (uses) => Array.isArray(uses) && uses.includes("LoadBalancer"),
    },
  ],
  convert: convertLegacyPool,
  complete: completePool,
  check: checkPool,
});

/** The pools of `others` that this pool overlaps, as problems in Calico's words; a pool is not compared with itself. */
export function checkPoolOverlap(pool: IpPool, others: readonly IpPool[]): readonly Problem[] {
  const mine = Prefix.parse(pool.spec.cidr);
  if (mine === undefined) return [];
  return others.flatMap((other) => {
    const theirs = other.metadata.name === pool.metadata.name ? undefined : Prefix.parse(other.spec.cidr);
    if (theirs === undefined || !Prefix.overlaps(mine, theirs)) return [];
    const reason = `IPPool(${pool.metadata.name}) CIDR overlaps with IPPool(${other.metadata.name}) CIDR ${other.spec.cidr}`;
    return [problem("spec.cidr", pool.spec.cidr, reason, { field: "IPPool.Spec.CIDR" })];
  });
}

function completePool(pool: IpPool): IpPool {
  if (pool.spec.blockSize !== undefined && pool.spec.blockSize !== 0) return pool;
  const family = Prefix.parseInterface(pool.spec.cidr)?.network.family ?? 4;
  return { ...pool, spec: { ...pool.spec, blockSize: defaultBlockSize(family) } };
}

function checkPool(pool: IpPool): readonly Problem[] {
  const { cidr, ipipMode, vxlanMode } = pool.spec;
  const found = Prefix.parseInterface(cidr);
  if (found === undefined) return [];
  const { network } = found;
  const problems: Problem[] = checkRange(pool, network);
  const refuseMode = (reason: string): void => {
    problems.push(problem("spec.ipipMode", ipipMode, reason, { field: "IPpool.IPIPMode" }));
  };
  if (network.address !== found.address) {
    const reason = "IPPool CIDR is not strictly masked";
    problems.push(
      problem("spec.cidr", cidr, reason, { field: "IPpool.CIDR", allowed: Prefix.format(network) }),
    );
  }
  if (ipipMode !== "Never" && network.family === 6) {
    refuseMode("IPIPMode other than 'Never' is not supported on an IPv6 IP pool");
  }
  if (ipipMode !== "Never" && vxlanMode !== "Never") {
    refuseMode("IPIPMode and VXLANMode cannot both be enabled on the same IP pool");
  }
  return [...problems, ...checkUses(pool)];
}

const linkLocal = [
  {
    range: Prefix.parse("169.254.0.0/16"),
    reason: "IPPool CIDR overlaps with IPv4 Link Local range 169.254.0.0/16",
  },
  { range: Prefix.parse("fe80::/10"), reason: "IPPool CIDR overlaps with IPv6 Link Local range fe80::/10" },
];

function checkRange(pool: IpPool, network: Prefix): Problem[] {
  const problems: Problem[] = [];
  const blockSize = pool.spec.blockSize ?? defaultBlockSize(network.family);
  const [smallest, largest] = blockSizeLimits(network.family);
  if (blockSize < smallest || blockSize > largest) {
    const reason = `block size must be between ${smallest} and ${largest}`;
    problems.push(problem("spec.blockSize", blockSize, reason, { field: "IPpool.BlockSize" }));
  } else if (pool.spec.disabled !== true && network.length > blockSize) {
    const reason =
      "IP pool size is too small for use with Calico IPAM. It must be equal to or greater than the block size.";
    const allowed = `/${blockSize} or a shorter prefix`;
    problems.push(problem("spec.cidr", pool.spec.cidr, reason, { field: "IPpool.CIDR", allowed }));
  }
  for (const { range, reason } of linkLocal) {
    if (range !== undefined && Prefix.overlaps(range, network)) {
      problems.push(problem("spec.cidr", pool.spec.cidr, reason, { field: "IPpool.CIDR" }));
    }
  }
  return problems;
}

function checkUses(pool: IpPool): readonly Problem[] {
  const {
    allowedUses = [],
    ipipMode,
    vxlanMode,
    nodeSelector,
    namespaceSelector,
    disableBGPExport,
  } = pool.spec;
  const problems: Problem[] = [];
  const refuse = (name: string, found: unknown, reason: string, field: string): void => {
    problems.push(problem(`spec.${name}`, found, reason, { field: `IPpool.${field}` }));
  };
  if (nodeSelector?.includes("global(") === true) {
    refuse("nodeSelector", nodeSelector, "global() cannot select nodes", "NodeSelector");
  }
  if (namespaceSelector !== undefined && allowedUses.includes("Tunnel")) {
    const reason =
      "a pool that namespaces select cannot hold tunnel addresses: leave Tunnel out of allowedUses";
    refuse("namespaceSelector", namespaceSelector, reason, "NamespaceSelector");
  }
  if (!allowedUses.includes("LoadBalancer")) return problems;
  if (allowedUses.length > 1) {
    const others = allowedUses.filter((use) => use !== "LoadBalancer").join(", ");
    refuse(
      "allowedUses",
      allowedUses,
      `LoadBalancer cannot be used at the same time as: ${others}`,
      "AllowedUses",
    );
  }
  if (ipipMode !== "Never" || vxlanMode !== "Never") {
    refuse("ipipMode", ipipMode, "a LoadBalancer pool cannot be encapsulated", "IPIPMode");
  }
  if (disableBGPExport === true) {
    refuse("disableBGPExport", true, "a LoadBalancer pool must be exported by BGP", "DisableBGPExport");
  }
  if (nodeSelector !== "all()") {
    refuse(
      "nodeSelector",
      nodeSelector,
      "the node selector of a LoadBalancer pool must be all()",
      "NodeSelector",
    );
  }
  return problems;
}

/** `ipip: {enabled, mode}` and `nat-outgoing` of earlier API versions, in today's fields. */
function convertLegacyPool(document: RawDocument): Reading<RawDocument> {
  const { spec } = document;
  if (!isRecord(spec) || (spec.ipip === undefined && spec["nat-outgoing"] === undefined)) {
    return { kind: "ok", value: document };
  }
  const { ipip, "nat-outgoing": natOutgoing, ...rest } = spec;
  const problems: Problem[] = [];
  const mode = legacyMode(ipip, problems);
  if (mode !== undefined && rest.ipipMode !== undefined && rest.ipipMode !== mode) {
    problems.push(problem("spec.ipip", ipip, "contradicts spec.ipipMode; give only ipipMode"));
  }
  if (natOutgoing !== undefined && natOutgoing !== null && typeof natOutgoing !== "boolean") {
    problems.push(problem("spec.nat-outgoing", natOutgoing, "must be true or false"));
  }
  if (problems.length > 0) return { kind: "bad", problems };
  return {
    kind: "ok",
    value: {
      ...document,
      spec: {
        ...rest,
        ...(mode === undefined ? {} : { ipipMode: mode }),
        ...(typeof natOutgoing === "boolean" ? { natOutgoing: rest.natOutgoing ?? natOutgoing } : {}),
      },
    },
  };
}

function legacyMode(ipip: unknown, problems: Problem[]): EncapsulationMode | undefined {
  if (ipip === undefined || ipip === null) return undefined;
  const names: readonly unknown[] = [undefined, null, "", "always", "cross-subnet"];
  if (
    !isRecord(ipip) ||
    (ipip.enabled !== undefined && typeof ipip.enabled !== "boolean") ||
    !names.includes(ipip.mode)
  ) {
    const allowed = "{enabled: true|false, mode: always|cross-subnet}";
    problems.push(problem("spec.ipip", ipip, "is not a legacy IPIP setting", { allowed }));
    return undefined;
  }
  if (ipip.enabled !== true) return "Never";
  return ipip.mode === "cross-subnet" ? "CrossSubnet" : "Always";
}

/** The family of the pool's addresses, or `undefined` when its CIDR is malformed. */
export function poolFamily(pool: IpPool): 4 | 6 | undefined {
  const network = Prefix.parseInterface(pool.spec.cidr)?.network;
  return network === undefined ? undefined : IpAddress.family(network.address);
}
