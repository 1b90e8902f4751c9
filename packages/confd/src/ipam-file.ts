import type { PoolFacts, ProgrammingPolicy } from "@caracal/intent";
import { type IpFamily, Prefix } from "@caracal/net";
import type { BirdOptions, FamilyView } from "./family-view.ts";
import { birdFunction, block, fileText, generatedLine } from "./bird-text.ts";

/** `bird_ipam.cfg`: what is told to peers, and what is programmed, by pools and service ranges. */
export function ipamFile({ family, intent, bgp, options }: FamilyView): string {
  const { hiddenPools, services, reflectedServices, pools } = bgp.exportPolicy;
  const { programming } = intent.kernel;
  return fileText([
    generatedLine,
    ...birdFunction(
      "reject_disabled_pools ()",
      ofFamily(hiddenPools, family).map(({ prefix }) => verdict(prefix, "reject")),
    ),
    "",
    ...birdFunction("reject_tunnel_routes (bool internal_peer)", tunnelRules(programming, options)),
    "",
    "# Decides what peers are told: the first rule that accepts or rejects ends it.",
    ...birdFunction("calico_export_to_bgp_peers (bool internal_peer)", [
      "reject_disabled_pools();",
      "reject_tunnel_routes(internal_peer);",
      "apply_communities();",
      "calico_aggr();",
      ...titledRules("# Export static routes.", services, family),
      ...titledRules("# Route reflector allowlist.", reflectedServices, family),
      ...ofFamily(pools, family).map(({ prefix, isExported }) =>
        isExported
          ? verdict(prefix, "accept")
          : `# Skip ${Prefix.format(prefix)} as BGP export is disabled for it`,
      ),
    ]),
    "",
    ...block("filter calico_kernel_programming", [
      ...kernelRules({ family, programming, services, options }),
      "accept;",
    ]),
  ]);
}

/** Routes through tunnels are the node daemon's: it makes them on every node. */
function tunnelRules({ programsIpip }: ProgrammingPolicy, { hasTunnels }: BirdOptions): readonly string[] {
  const named = (pattern: string): string => `(ifname ~ "${pattern}")`;
  const internal = ["*.cali", "*.calico", ...(programsIpip && hasTunnels ? [] : ["tunl0"])]
    .map(named)
    .join(" || ");
  return [
    "if (defined(ifname)) then {",
    `  if (${named("bpf*.cali")}) then { reject; }`,
    `  if (internal_peer && (${internal})) then { reject; }`,
    "}",
  ];
}

function kernelRules({
  family,
  programming,
  services,
  options,
}: {
  readonly family: IpFamily;
  readonly programming: ProgrammingPolicy;
  readonly services: readonly Prefix[];
  readonly options: BirdOptions;
}): readonly string[] {
  const rejected = [...programming.serviceRanges, ...services].filter((prefix) => prefix.family === family);
  const distinct = [...new Set(rejected.map(Prefix.format))];
  return [
    ...(distinct.length === 0 ? [] : ["# Don't program static routes into kernel."]),
    ...distinct.map((prefix) => `if ( net ~ ${prefix} ) then { reject; }`),
    ...ofFamily(programming.pools, family).flatMap((pool) =>
      block(`if ( net ~ ${Prefix.format(pool.prefix)} ) then`, poolRules(pool, programming, options)),
    ),
  ];
}

function poolRules(
  { ipipMode, vxlanMode, prefix }: PoolFacts,
  { subnets, programsIpip, programsDirect }: ProgrammingPolicy,
  { hasTunnels }: BirdOptions,
): readonly string[] {
  if (vxlanMode !== "Never") return ["# VXLAN routes are handled by the node daemon.", "reject;"];
  if (ipipMode === "Never" || prefix.family === 6) {
    return programsDirect
      ? ["accept;"]
      : ["# Routes to this pool are handled by the node daemon.", "reject;"];
  }
  if (!programsIpip) return ["# IPIP routes are handled by the node daemon.", "reject;"];
  if (!hasTunnels)
    // What needs no tunnel too: two programs must not share a pool's routes. The node's own blocks stay.
    return [
      "# IPIP routes are handled by the node daemon.",
      "if ( defined(bgp_next_hop) ) then { reject; }",
      "accept;",
    ];
  const subnet = ipipMode === "CrossSubnet" ? subnets.get(prefix.family) : undefined;
  const isNear = subnet === undefined ? "" : ` && ( bgp_next_hop ~ ${Prefix.format(subnet)} )`;
  if (subnet === undefined) return ['krt_tunnel = "tunl0";', "accept;"];
  return [
    `if ( defined(bgp_next_hop)${isNear} ) then`,
    '  krt_tunnel = "";',
    "else",
    '  krt_tunnel = "tunl0";',
    "accept;",
  ];
}

function titledRules(title: string, prefixes: readonly Prefix[], family: IpFamily): readonly string[] {
  const found = prefixes.filter((prefix) => prefix.family === family);
  return found.length === 0 ? [] : [title, ...found.map((prefix) => verdict(prefix, "accept"))];
}

function verdict(prefix: Prefix, action: "accept" | "reject"): string {
  return `if ( net ~ ${Prefix.format(prefix)} ) then { ${action}; }`;
}

function ofFamily(pools: readonly PoolFacts[], family: IpFamily): readonly PoolFacts[] {
  return pools.filter(({ prefix }) => prefix.family === family);
}
