import { Prefix } from "@caracal/net";
import { oneOf, readAnyPrefix, readBoolean, readPrefix6, readWhole } from "./read-text.ts";
import type { Encapsulation, NetworkSpec, PoolSpec } from "./topology.ts";
import type { YamlValue } from "./yaml-value.ts";

/** The pools that the first node makes: of the one family of the cluster, or of both. */
export interface Pools {
  readonly pool: PoolSpec;
  readonly pool6?: PoolSpec;
}

const KEYS = ["cidr", "blockSize", "ipip", "vxlan", "natOutgoing"];
const ENCAPSULATIONS: readonly Encapsulation[] = ["Never", "CrossSubnet", "Always"];
/** Calico's limits of a block's prefix length, and its own choice. */
const BLOCK_SIZES = { 4: [20, 32, 26], 6: [116, 128, 122] } as const;

/** Reads `pool` and `pool6`; a pool's addresses are routed between networks of its family. */
export function readPools(root: YamlValue, networks: readonly NetworkSpec[]): Pools {
  const value = root.required("pool").withKeys(KEYS);
  const cidr = value.required("cidr").as("a CIDR such as 10.244.0.0/16 or fd00:10:244::/56", readAnyPrefix);
  const isRouted = networks.some(({ subnet }) => Prefix.parse(subnet)?.family === cidr.family);
  if (!isRouted) value.required("cidr").fail(`no network's subnet is IPv${cidr.family}`);
  const pool = readPool(value, cidr);
  const second = root.optional("pool6")?.withKeys(KEYS);
  if (second === undefined) return { pool };
  if (!networks.some(({ subnet6 }) => subnet6 !== undefined)) second.fail("no network has a subnet6");
  const cidr6 = second.required("cidr").as("an IPv6 CIDR such as fd00:10:244::/56", readPrefix6);
  return { pool, pool6: readPool(second, cidr6) };
}

function readPool(value: YamlValue, cidr: Prefix): PoolSpec {
  const encapsulation = (key: "ipip" | "vxlan"): Encapsulation =>
    value.optional(key)?.as("Never, CrossSubnet or Always", oneOf(ENCAPSULATIONS)) ?? "Never";
  const [least, most, usual] = BLOCK_SIZES[cidr.family];
  const pool: PoolSpec = {
    cidr: Prefix.format(cidr),
    blockSize:
      value.optional("blockSize")?.as(`a prefix length from ${least} to ${most}`, readWhole(least, most)) ??
      usual,
    ipip: encapsulation("ipip"),
    vxlan: encapsulation("vxlan"),
    // As for Calico's own default pools: IPv6 has addresses for everyone.
    natOutgoing: value.optional("natOutgoing")?.as("true or false", readBoolean) ?? cidr.family === 4,
  };
  if (pool.blockSize < cidr.length) value.fail(`a block of /${pool.blockSize} does not fit in ${pool.cidr}`);
  if (pool.ipip !== "Never" && pool.vxlan !== "Never") value.fail("ipip and vxlan cannot both be in use");
  if (pool.ipip !== "Never" && cidr.family === 6) value.fail("there is no ipip for IPv6: use vxlan");
  return pool;
}
