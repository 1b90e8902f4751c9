import { type IpFamily, Prefix } from "@caracal/net";

/** What a key of Calico's etcd layout names. */
export type StoreKey =
  | {
      readonly kind: "resource";
      readonly plural: string;
      readonly namespace: string | undefined;
      readonly name: string;
    }
  | { readonly kind: "block"; readonly cidr: Prefix }
  | { readonly kind: "affinity"; readonly owner: AffinityOwner; readonly cidr: Prefix }
  | { readonly kind: "handle"; readonly id: string }
  | { readonly kind: "ipamConfig" };

/** Whose block it is: a node's, or a virtual holder's such as `load-balancer`. */
export interface AffinityOwner {
  readonly kind: "host" | "virtual";
  readonly name: string;
}

const resourceRoot = "/calico/resources/v3/projectcalico.org/";
const ipamRoot = "/calico/ipam/v2/";
const blockRoot = `${ipamRoot}assignment/`;
const handleRoot = `${ipamRoot}handle/`;
const configKey = `${ipamRoot}config`;

/**
 * Calico's etcd keys, both ways. Functions named in the plural give prefixes to list or watch; each ends in `/`, so that
 * `node1` never finds what belongs to `node10`.
 */
export const keys: {
  /** Under which Calico keeps everything. */
  readonly root: string;
  readonly resource: (plural: string, name: string, namespace?: string) => string;
  /** All of a kind, or all of a kind in one namespace. */
  readonly resources: (plural: string, namespace?: string) => string;
  readonly block: (cidr: Prefix) => string;
  readonly blocks: (family?: IpFamily) => string;
  readonly affinity: (owner: AffinityOwner, cidr: Prefix) => string;
  /** All block affinities, those of one owner, or those of one owner and family. */
  readonly affinities: (owner?: AffinityOwner | AffinityOwner["kind"], family?: IpFamily) => string;
  readonly handle: (id: string) => string;
  readonly handles: string;
  readonly ipamConfig: string;
  /** What a key names, or `undefined` for a key that is none of these. */
  readonly parse: (key: string) => StoreKey | undefined;
} = {
  root: "/calico/",
  resource: (plural, name, namespace) => `${resourcePrefix(plural, namespace)}${name}`,
  resources: resourcePrefix,
  block: (cidr) => `${blockRoot}${familySegment(cidr.family)}/block/${cidrSegment(cidr)}`,
  blocks: (family) => (family === undefined ? blockRoot : `${blockRoot}${familySegment(family)}/block/`),
  affinity: (owner, cidr) => `${ownerPrefix(owner)}${familySegment(cidr.family)}/block/${cidrSegment(cidr)}`,
  affinities: (owner = "host", family) => {
    if (typeof owner === "string") return `${ipamRoot}${owner}/`;
    return family === undefined ? ownerPrefix(owner) : `${ownerPrefix(owner)}${familySegment(family)}/block/`;
  },
  handle: (id) => `${handleRoot}${id}`,
  handles: handleRoot,
  ipamConfig: configKey,
  parse,
};

function resourcePrefix(plural: string, namespace?: string): string {
  return namespace === undefined ? `${resourceRoot}${plural}/` : `${resourceRoot}${plural}/${namespace}/`;
}

function ownerPrefix(owner: AffinityOwner): string {
  return `${ipamRoot}${owner.kind}/${owner.name}/`;
}

function familySegment(family: IpFamily): string {
  return family === 4 ? "ipv4" : "ipv6";
}

/** The canonical prefix with `-` for `/`. */
function cidrSegment(cidr: Prefix): string {
  return Prefix.format(cidr).replace("/", "-");
}

function parse(key: string): StoreKey | undefined {
  if (key === configKey) return { kind: "ipamConfig" };
  if (key.startsWith(resourceRoot)) return parseResource(key.slice(resourceRoot.length));
  if (key.startsWith(handleRoot)) {
    const id = key.slice(handleRoot.length);
    return id === "" ? undefined : { kind: "handle", id };
  }
  if (key.startsWith(blockRoot)) {
    const cidr = parseBlock(key.slice(blockRoot.length).split("/"));
    return cidr === undefined ? undefined : { kind: "block", cidr };
  }
  return key.startsWith(ipamRoot) ? parseAffinity(key.slice(ipamRoot.length).split("/")) : undefined;
}

function parseResource(rest: string): StoreKey | undefined {
  const segments = rest.split("/");
  if (segments.includes("")) return undefined;
  const [plural, ...path] = segments.map(unescape);
  const [first, second] = path;
  if (plural === undefined || first === undefined || path.length > 2) return undefined;
  return second === undefined
    ? { kind: "resource", plural, namespace: undefined, name: first }
    : { kind: "resource", plural, namespace: first, name: second };
}

/** Old writers escaped `%` and `/` in names; today's names hold neither. */
function unescape(segment: string): string {
  return segment.replaceAll("%2f", "/").replaceAll("%25", "%");
}

/** `ipv4/block/10.244.120.64-26`. */
function parseBlock(segments: readonly string[]): Prefix | undefined {
  const [family, word, text] = segments;
  if (segments.length !== 3 || word !== "block" || text?.includes("-") !== true) return undefined;
  const cidr = Prefix.parse(text.replace("-", "/"));
  return cidr !== undefined && familySegment(cidr.family) === family ? cidr : undefined;
}

/** `host/<node>/ipv4/block/10.244.120.64-26`. */
function parseAffinity(segments: readonly string[]): StoreKey | undefined {
  const [kind, name, ...block] = segments;
  if ((kind !== "host" && kind !== "virtual") || name === undefined || name === "") return undefined;
  const cidr = parseBlock(block);
  return cidr === undefined ? undefined : { kind: "affinity", owner: { kind, name }, cidr };
}
