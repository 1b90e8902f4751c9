import { Prefix } from "@caracal/net";
import { type IpPool, poolFamily } from "@caracal/resources";
import type { DefaultPoolConfig } from "../config.ts";
import type { HostInterface } from "./host-interface.ts";

/** What a new default pool is made of besides its configuration. */
export interface PoolSurroundings {
  readonly pools: readonly IpPool[];
  readonly interfaces: readonly HostInterface[];
  /** Five random bytes: the global ID of a unique local prefix (RFC 4193 §3.2). */
  readonly randomBytes: Uint8Array;
}

/** A pool to be created, as a user would write it. */
export interface PoolDocument {
  readonly apiVersion: "projectcalico.org/v3";
  readonly kind: "IPPool";
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** The default pools that are missing: one for each family that has no pool at all (facts: node start-up §4). */
export function missingPools(
  configs: readonly DefaultPoolConfig[],
  surroundings: PoolSurroundings,
): readonly PoolDocument[] {
  return configs
    .filter((config) => !surroundings.pools.some((pool) => poolFamily(pool) === config.family))
    .map((config) => ({
      apiVersion: "projectcalico.org/v3",
      kind: "IPPool",
      metadata: { name: `default-ipv${config.family}-ippool` },
      spec: {
        cidr: config.cidr ?? chooseCidr(config.family, surroundings),
        blockSize: config.blockSize,
        ipipMode: config.ipipMode,
        vxlanMode: config.vxlanMode,
        natOutgoing: config.natOutgoing,
        nodeSelector: config.nodeSelector,
        ...(config.disableBgpExport ? { disableBGPExport: true } : {}),
      },
    }));
}

function chooseCidr(family: 4 | 6, { interfaces, randomBytes }: PoolSurroundings): string {
  if (family === 6) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = randomBytes;
    const group = (high: number, low: number): string => ((high << 8) | low).toString(16);
    return `${group(0xfd, a)}:${group(b, c)}:${group(d, e)}::/48`;
  }
  const second = Array.from({ length: 16 }, (_, index) => `172.${16 + index}.0.0/16`);
  const candidates = ["192.168.0.0/16", ...second];
  const isFree = (text: string): boolean => {
    const range = Prefix.parse(text);
    return (
      range !== undefined &&
      !interfaces.some((item) => item.addresses.some(({ network }) => Prefix.overlaps(range, network)))
    );
  };
  return candidates.find(isFree) ?? "192.168.0.0/16";
}
