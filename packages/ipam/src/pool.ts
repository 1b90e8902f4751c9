import { type IpFamily, Prefix } from "@caracal/net";
import {
  blockSizeLimits,
  defaultBlockSize,
  type IpPool,
  type Labels,
  matchesSelector,
  parseSelector,
  type SelectorParsing,
} from "@caracal/resources";

/** What addresses are for. */
export type PoolUse = "Workload" | "Tunnel" | "LoadBalancer";

/** An IP pool as IPAM sees it. */
export interface Pool {
  readonly name: string;
  readonly cidr: Prefix;
  /** Prefix length of its blocks. */
  readonly blockSize: number;
  /** Neither disabled nor being deleted, not marked as one that cannot give addresses, and with blocks that fit. */
  readonly isEnabled: boolean;
  /** Which of that it is. */
  readonly disabledBecause?: string;
  readonly isAutomatic: boolean;
  readonly uses: readonly PoolUse[];
  readonly nodeSelector: string;
  readonly namespaceSelector: string;
}

/** Whose addresses and what for. */
export interface PoolRequest {
  readonly family: IpFamily;
  readonly node: string;
  readonly nodeLabels: Labels;
  /** `undefined` for what is in no namespace. */
  readonly namespaceLabels?: Labels | undefined;
  readonly use: PoolUse;
  /** Pools by name or CIDR; these and no others, in this order. */
  readonly pools?: readonly string[] | undefined;
}

export type PoolSelection =
  /** `refusals`: the pools that were passed over. */
  | { readonly kind: "ok"; readonly pools: readonly Pool[]; readonly refusals: readonly PoolRefusal[] }
  /** `code` for callers, `message` for people: which pools there are and why each refused. */
  | {
      readonly kind: "refused";
      readonly code: "noPools" | "unknownPool" | "use";
      readonly message: string;
      readonly refusals: readonly PoolRefusal[];
    };

export interface PoolRefusal {
  readonly pool: string;
  readonly reason: string;
}

/** The pool of a resource, or `undefined` when its CIDR is not one. */
export function toPool(resource: IpPool): Pool | undefined {
  const { metadata, spec } = resource;
  const cidr = Prefix.parseInterface(spec.cidr)?.network;
  if (cidr === undefined) return undefined;
  const { allowedUses = [] } = spec;
  const usual = defaultBlockSize(cidr.family);
  const blockSize = spec.blockSize || usual;
  const disabledBecause = whyDisabled(resource) ?? whyUnfit(cidr, blockSize);
  return {
    name: metadata.name,
    cidr,
    blockSize: isBlockSize(cidr.family, blockSize) ? blockSize : usual,
    isEnabled: disabledBecause === undefined,
    ...(disabledBecause !== undefined && { disabledBecause }),
    isAutomatic: spec.assignmentMode !== "Manual",
    // None named means the usual ones, as when the field is absent.
    uses: allowedUses.length === 0 ? ["Workload", "Tunnel"] : allowedUses,
    nodeSelector: spec.nodeSelector ?? "",
    namespaceSelector: spec.namespaceSelector ?? "",
  };
}

/** Not every store refuses such a pool, and a block would be too large to be written, or reach beyond the pool. */
function whyUnfit(cidr: Prefix, blockSize: number): string | undefined {
  if (!isBlockSize(cidr.family, blockSize)) {
    const [smallest, largest] = blockSizeLimits(cidr.family);
    return `its blocks of /${blockSize} are not between /${smallest} and /${largest}`;
  }
  return cidr.length > blockSize ? `it is smaller than its blocks of /${blockSize}` : undefined;
}

function isBlockSize(family: IpFamily, blockSize: number): boolean {
  const [smallest, largest] = blockSizeLimits(family);
  return blockSize >= smallest && blockSize <= largest;
}

function whyDisabled({ metadata, spec, status }: IpPool): string | undefined {
  if (spec.disabled === true) return "it is disabled";
  if (metadata.deletionTimestamp !== undefined) return "it is being deleted";
  const condition = status?.conditions?.find(({ type }) => type === "Allocatable");
  if (condition?.status !== "False") return undefined;
  return `it is not allocatable${condition.message ? `: ${condition.message}` : ""}`;
}

/** The pools that a request may take addresses from, in the order to try them. */
export function selectPools(request: PoolRequest, pools: readonly Pool[]): PoolSelection {
  const ofFamily = pools.filter(({ cidr }) => cidr.family === request.family);
  const named = request.pools ?? [];
  if (named.length > 0) return selectNamed(request, ofFamily, named);
  const refusals: PoolRefusal[] = [];
  const matching = ofFamily.filter((pool) => {
    const reason = refusal(request, pool);
    if (reason !== undefined) refusals.push({ pool: pool.name, reason });
    return reason === undefined;
  });
  if (matching.length === 0) {
    const message = withRefusals(`no configured Calico pools for node ${request.node}`, refusals);
    return { kind: "refused", code: "noPools", message, refusals };
  }
  return selectUse(request, matching, refusals);
}

function selectNamed(request: PoolRequest, pools: readonly Pool[], named: readonly string[]): PoolSelection {
  const chosen: Pool[] = [];
  for (const text of named) {
    const cidr = Prefix.parseInterface(text)?.network;
    const pool = pools.find((one) =>
      cidr === undefined ? one.name === text : Prefix.equals(one.cidr, cidr),
    );
    if (pool === undefined || !pool.isEnabled) {
      const shown = cidr === undefined ? text : Prefix.format(cidr);
      const reason = pool?.disabledBecause ?? "it is disabled";
      const refusals = pool === undefined ? [] : [{ pool: pool.name, reason }];
      const message = withRefusals(`the given pool (${shown}) does not exist, or is not enabled`, refusals);
      return { kind: "refused", code: "unknownPool", message, refusals };
    }
    if (!chosen.includes(pool)) chosen.push(pool);
  }
  // Who names a pool has chosen: selectors and the assignment mode are for the automatic choice.
  return selectUse(request, chosen, []);
}

function selectUse(
  request: PoolRequest,
  pools: readonly Pool[],
  refusedBefore: readonly PoolRefusal[],
): PoolSelection {
  const useful = pools.filter(({ uses }) => uses.includes(request.use));
  const unused = pools
    .filter((pool) => !useful.includes(pool))
    .map(({ name, uses }) => ({ pool: name, reason: `it is for ${uses.join(", ")}` }));
  const refusals = [...refusedBefore, ...unused];
  if (useful.length > 0) return { kind: "ok", pools: useful, refusals };
  const message = `cannot find a qualified ippool, no pools match the required use (${request.use})`;
  return { kind: "refused", code: "use", message: withRefusals(message, refusals), refusals };
}

/** Why the automatic choice passes a pool over. */
function refusal(request: PoolRequest, pool: Pool): string | undefined {
  if (!pool.isEnabled) return pool.disabledBecause ?? "it is disabled";
  if (!pool.isAutomatic) return "its assignment mode is Manual";
  if (!selectsNode(pool, request.nodeLabels)) return `its nodeSelector is ${pool.nodeSelector}`;
  if (pool.namespaceSelector === "") return undefined;
  return request.namespaceLabels !== undefined && matches(pool.namespaceSelector, request.namespaceLabels)
    ? undefined
    : `its namespaceSelector is ${pool.namespaceSelector}`;
}

/** Whether a pool's addresses may be on a node with these labels. */
export function selectsNode(pool: Pool, labels: Labels): boolean {
  return matches(pool.nodeSelector, labels);
}

/** A selector that cannot be read matches nothing. */
function matches(selector: string, labels: Labels): boolean {
  const parsing = parsed(selector);
  return parsing.kind === "ok" && matchesSelector(parsing.selector, labels);
}

/** Selectors whose parsing is kept: pools are few, and asked about at every assignment. */
const maxParsed = 256;
const parsings = new Map<string, SelectorParsing>();

function parsed(selector: string): SelectorParsing {
  const known = parsings.get(selector);
  if (known !== undefined) return known;
  if (parsings.size >= maxParsed) parsings.clear();
  const parsing = parseSelector(selector);
  parsings.set(selector, parsing);
  return parsing;
}

function withRefusals(message: string, refusals: readonly PoolRefusal[]): string {
  if (refusals.length === 0) return message;
  return `${message} (${refusals.map(({ pool, reason }) => `${pool}: ${reason}`).join("; ")})`;
}

/** The block that holds an address, or that a prefix begins in, by its pool's block size. */
export function blockOf(pool: Pool, address: Prefix["address"]): Prefix {
  return Prefix.of(address, pool.blockSize);
}
