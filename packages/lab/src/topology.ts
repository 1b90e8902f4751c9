import { Ipv4, Prefix, type Prefix4 } from "@caracal/net";
import { YamlValue } from "./yaml-value.ts";

/** What a lab is made of, as its file says; `topologies/README.md` explains the keys. */
export interface Topology {
  readonly name: string;
  readonly description: string;
  readonly pool: PoolSpec;
  /** For every node daemon. */
  readonly environment: Environment;
  readonly networks: readonly NetworkSpec[];
  readonly nodes: readonly NodeSpec[];
}

export type Environment = Readonly<Record<string, string>>;

/** The pool that the first node makes. */
export interface PoolSpec {
  readonly cidr: string;
  readonly blockSize: number;
  readonly ipip: Encapsulation;
  readonly vxlan: Encapsulation;
  readonly natOutgoing: boolean;
}

export type Encapsulation = "Never" | "CrossSubnet" | "Always";

/** One layer-2 network. */
export interface NetworkSpec {
  readonly name: string;
  readonly subnet: string;
  readonly gateway?: string;
}

export interface NodeSpec {
  readonly name: string;
  readonly network: string;
  /** On `eth0`, without a length. */
  readonly address: string;
  readonly backend: Backend;
  readonly environment: Environment;
  readonly pods: readonly PodSpec[];
}

/** What routes on a node, as `CALICO_NETWORKING_BACKEND` names it. */
export type Backend = (typeof BACKENDS)[number];

const BACKENDS = ["caracal", "bird", "vxlan", "none"] as const;

export interface PodSpec {
  readonly name: string;
  readonly namespace: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Also a part of namespace names and of socket paths, which may have 107 bytes; so are node names. */
export const LAB_NAME: RegExp = /^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/;
export const NODE_NAME: RegExp = /^[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?$/;
export const POD_NAME: RegExp = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** An interface name of the kernel's. */
const NETWORK_NAME = /^[a-z0-9][a-z0-9-]{0,14}$/;
/** The namespace of the bridges is called so; nodes and pods share its name space. */
export const SWITCH_NAME = "switch";

export const LAB_NAME_RULE = "a lab's name: up to 20 of a-z, 0-9 and '-'";
export const NODE_NAME_RULE = "a node's name: up to 40 of a-z, 0-9, '-' and '.'";
export const POD_NAME_RULE = "a pod's name: up to 63 of a-z, 0-9 and '-'";

/** Reads a topology file; the first thing wrong with it throws a `LabError` with line and key. */
export function parseTopology(text: string, file: string): Topology {
  const root = YamlValue.parse(text, file).withKeys([
    "name",
    "description",
    "pool",
    "backend",
    "environment",
    "networks",
    "nodes",
  ]);
  const name = root.required("name").as(LAB_NAME_RULE, matching(LAB_NAME));
  const networkValues = root.required("networks").list();
  const networks = networkValues.map(readNetwork);
  unique(
    networkValues,
    networks.map((network) => network.name),
  );
  checkSubnets(networkValues, networks);
  if (networks.length === 0) root.required("networks").fail("at least one network is needed");
  const nodeValues = root.required("nodes").list();
  const backend = readBackend(root.optional("backend")) ?? "caracal";
  const nodes = nodeValues.map((value) => readNode(value, networks, backend));
  if (nodes.length === 0) root.required("nodes").fail("at least one node is needed");
  checkNames(nodeValues, nodes);
  return {
    name,
    description: root.optional("description")?.text() ?? "",
    pool: readPool(root.required("pool")),
    environment: readTexts(root.optional("environment")),
    networks,
    nodes,
  };
}

function readPool(value: YamlValue): PoolSpec {
  value.withKeys(["cidr", "blockSize", "ipip", "vxlan", "natOutgoing"]);
  const encapsulation = (key: "ipip" | "vxlan"): Encapsulation =>
    value.optional(key)?.as("Never, CrossSubnet or Always", readEncapsulation) ?? "Never";
  const cidr = value.required("cidr").as("an IPv4 CIDR such as 10.244.0.0/16", readPrefix);
  const pool: PoolSpec = {
    cidr: Prefix.format(cidr),
    blockSize: value.optional("blockSize")?.as("a prefix length from 20 to 32", readBlockSize) ?? 26,
    ipip: encapsulation("ipip"),
    vxlan: encapsulation("vxlan"),
    natOutgoing: value.optional("natOutgoing")?.as("true or false", readBoolean) ?? true,
  };
  if (pool.blockSize < cidr.length) value.fail(`a block of /${pool.blockSize} does not fit in ${pool.cidr}`);
  if (pool.ipip !== "Never" && pool.vxlan !== "Never") value.fail("ipip and vxlan cannot both be in use");
  return pool;
}

function readNetwork(value: YamlValue): NetworkSpec {
  value.withKeys(["name", "subnet", "gateway"]);
  const name = value
    .required("name")
    .as("a network's name: up to 15 of a-z, 0-9 and '-'", matching(NETWORK_NAME));
  const subnet = value.required("subnet").as("an IPv4 subnet such as 172.18.0.0/16", readPrefix);
  const gateway = value
    .optional("gateway")
    ?.as(`an address in ${Prefix.format(subnet)}`, (text) => readHost(text, subnet));
  return { name, subnet: Prefix.format(subnet), ...(gateway === undefined ? {} : { gateway }) };
}

function readNode(value: YamlValue, networks: readonly NetworkSpec[], usual: Backend): NodeSpec {
  value.withKeys(["name", "network", "address", "backend", "environment", "pods"]);
  const name = value.required("name").as(NODE_NAME_RULE, matching(NODE_NAME));
  const [only, another] = networks;
  const named = value
    .optional("network")
    ?.as(`one of the networks ${networks.map((network) => network.name).join(", ")}`, (text) =>
      networks.find((network) => network.name === text),
    );
  const network =
    named ?? (another === undefined ? only : undefined) ?? value.required("network").fail("unknown");
  const subnet = readPrefix(network.subnet);
  const address = value
    .required("address")
    .as(`an address in ${network.subnet}`, (text) => subnet && readHost(text, subnet));
  if (address === network.gateway)
    value.required("address").fail(`${address} is the gateway of ${network.name}`);
  const pods = value.optional("pods")?.list().map(readPod) ?? [];
  return {
    name,
    network: network.name,
    address,
    backend: readBackend(value.optional("backend")) ?? usual,
    environment: readTexts(value.optional("environment")),
    pods,
  };
}

function readBackend(value: YamlValue | undefined): Backend | undefined {
  return value?.as("caracal, bird, vxlan or none", (text) => BACKENDS.find((backend) => backend === text));
}

function readPod(value: YamlValue): PodSpec {
  if (value.isText)
    return { name: value.as(POD_NAME_RULE, matching(POD_NAME)), namespace: "default", annotations: {} };
  value.withKeys(["name", "namespace", "annotations"]);
  return {
    name: value.required("name").as(POD_NAME_RULE, matching(POD_NAME)),
    namespace: value.optional("namespace")?.as("a namespace's name", matching(POD_NAME)) ?? "default",
    annotations: readTexts(value.optional("annotations")),
  };
}

/** Every node, pod and the switch is a namespace of the lab, so no two may have the same name; nor the same address. */
function checkNames(values: readonly YamlValue[], nodes: readonly NodeSpec[]): void {
  unique(
    values,
    nodes.map((node) => node.address),
  );
  const taken = new Set([SWITCH_NAME]);
  for (const [index, node] of nodes.entries()) {
    for (const name of [node.name, ...node.pods.map((pod) => pod.name)]) {
      if (taken.has(name))
        values[index]?.fail(`the name ${name} is taken: nodes, pods and "switch" share one name space`);
      taken.add(name);
    }
  }
}

function checkSubnets(values: readonly YamlValue[], networks: readonly NetworkSpec[]): void {
  const subnets = networks.flatMap((network) => readPrefix(network.subnet) ?? []);
  for (const [index, subnet] of subnets.entries()) {
    const other = subnets.slice(0, index).find((earlier) => Prefix.overlaps(earlier, subnet));
    if (other === undefined) continue;
    values[index]?.fail(`its subnet ${Prefix.format(subnet)} overlaps ${Prefix.format(other)}`);
  }
}

function unique(values: readonly YamlValue[], keys: readonly string[]): void {
  for (const [index, key] of keys.entries()) {
    if (keys.indexOf(key) < index) values[index]?.fail(`${key} is there twice`);
  }
}

function readTexts(value: YamlValue | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries((value?.entries() ?? []).map(([key, member]) => [key, member.text()]));
}

function matching(pattern: RegExp): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? text : undefined);
}

function readPrefix(text: string): Prefix4 | undefined {
  const prefix = text.includes("/") ? Prefix.parse(text) : undefined;
  return prefix?.family === 4 ? prefix : undefined;
}

/** An address of the subnet that a host may have: neither the network's own nor the broadcast address. */
function readHost(text: string, subnet: Prefix4): string | undefined {
  const address = Ipv4.parse(text);
  if (address === undefined || !Prefix.contains(subnet, address)) return undefined;
  return address === subnet.address || address === Prefix.last(subnet) ? undefined : text;
}

function readEncapsulation(text: string): Encapsulation | undefined {
  return text === "Never" || text === "CrossSubnet" || text === "Always" ? text : undefined;
}

function readBlockSize(text: string): number | undefined {
  const size = Number(text);
  return Number.isInteger(size) && size >= 20 && size <= 32 ? size : undefined;
}

function readBoolean(text: string): boolean | undefined {
  if (text === "true") return true;
  return text === "false" ? false : undefined;
}
