import { Prefix } from "@caracal/net";
import { readChecks } from "./checks/read-checks.ts";
import { readFabric } from "./read-fabric.ts";
import { readPools } from "./read-pools.ts";
import { asNumberOfNode, readResources } from "./read-resources.ts";
import { matching, oneOf, readAddress, readHost, readTexts, unique } from "./read-text.ts";
import {
  type Backend,
  BACKENDS,
  BRIDGES_NAME,
  LAB_NAME,
  LAB_NAME_RULE,
  type NetworkSpec,
  NODE_NAME,
  NODE_NAME_RULE,
  type NodeSpec,
  POD_NAME,
  POD_NAME_RULE,
  type PodSpec,
  type ResourceSpec,
  type Topology,
} from "./topology.ts";
import { YamlValue } from "./yaml-value.ts";

const KEYS = [
  "name",
  "description",
  "pool",
  "pool6",
  "backend",
  "environment",
  "networks",
  "racks",
  "links",
  "switches",
  "nodes",
  "resources",
  "checks",
];

/** What a node's entry leaves to the rest of the file. */
interface NodeSurroundings {
  readonly networks: readonly NetworkSpec[];
  readonly backend: Backend;
  readonly resources: readonly ResourceSpec[];
}

/** Reads a topology file; the first thing wrong with it throws a `LabError` with line and key. */
export function parseTopology(text: string, file: string): Topology {
  const root = YamlValue.parse(text, file).withKeys(KEYS);
  const name = root.required("name").as(LAB_NAME_RULE, matching(LAB_NAME));
  const fabric = readFabric(root);
  const resources = readResources(root.optional("resources"));
  const backend = readBackend(root.optional("backend")) ?? "caracal";
  const nodeValues = root.required("nodes").list();
  const around = { networks: fabric.networks, backend, resources };
  const nodes = nodeValues.map((value) => readNode(value, around));
  if (nodes.length === 0) root.required("nodes").fail("at least one node is needed");
  checkNames(nodeValues, nodes, fabric.switchNames);
  checkNodeAddresses(root, nodes, resources);
  const switches = fabric.withNodes(nodes);
  return {
    name,
    description: root.optional("description")?.text() ?? "",
    ...readPools(root, fabric.networks),
    environment: readTexts(root.optional("environment")),
    networks: fabric.networks,
    switches,
    nodes,
    resources,
    checks: readChecks(root.optional("checks"), nodes, switches),
    source: { file, text },
  };
}

function readNode(value: YamlValue, { networks, backend, resources }: NodeSurroundings): NodeSpec {
  value.withKeys(["name", "network", "rack", "address", "address6", "backend", "environment", "pods"]);
  const name = value.required("name").as(NODE_NAME_RULE, matching(NODE_NAME));
  const network = readNodeNetwork(value, networks);
  const address = readNodeAddress(value.required("address"), network.subnet, network.gateway);
  const { subnet6 } = network;
  const second = subnet6 === undefined ? value.optional("address6") : value.required("address6");
  if (subnet6 === undefined) second?.fail(`the network ${network.name} has no subnet6`);
  const address6 = subnet6 && second && readNodeAddress(second, subnet6, network.gateway6);
  return {
    name,
    network: network.name,
    address,
    ...(address6 === undefined ? {} : { address6 }),
    asNumber: asNumberOfNode(resources, name),
    backend: readBackend(value.optional("backend")) ?? backend,
    environment: readTexts(value.optional("environment")),
    pods: value.optional("pods")?.list().map(readPod) ?? [],
  };
}

function readNodeAddress(value: YamlValue, subnetText: string, gateway: string | undefined): string {
  const subnet = Prefix.parse(subnetText);
  const address = value.as(`an address in ${subnetText}`, (text) => subnet && readHost(text, subnet));
  return address === gateway ? value.fail(`${address} is the gateway`) : address;
}

/** A node stands in a rack or a plain network, and need not say so when there is only one. */
function readNodeNetwork(value: YamlValue, networks: readonly NetworkSpec[]): NetworkSpec {
  const choices = networks.filter(({ kind }) => kind !== "link");
  for (const [key, kind, plural] of [
    ["rack", "rack", "racks"],
    ["network", "lan", "networks"],
  ] as const) {
    const those = choices.filter((network) => network.kind === kind);
    const names = those.map(({ name }) => name).join(", ") || "(there are none)";
    const named = value
      .optional(key)
      ?.as(`one of the ${plural} ${names}`, (text) => those.find((network) => network.name === text));
    if (named !== undefined) return named;
  }
  const [only, another] = choices;
  if (only !== undefined && another === undefined) return only;
  return value.required(choices.some(({ kind }) => kind === "lan") ? "network" : "rack").fail("unknown");
}

function readBackend(value: YamlValue | undefined): Backend | undefined {
  return value?.as("caracal, bird, vxlan or none", oneOf(BACKENDS));
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

/** A Node resource may say its address, but not another than the node has. */
function checkNodeAddresses(
  root: YamlValue,
  nodes: readonly NodeSpec[],
  resources: readonly ResourceSpec[],
): void {
  for (const [index, { value }] of resources.entries()) {
    if (value.kind !== "Node") continue;
    const node = nodes.find(({ name }) => name === value.metadata.name);
    if (node === undefined) continue;
    const own = [node.address, ...(node.address6 === undefined ? [] : [node.address6])];
    for (const key of ["ipv4Address", "ipv6Address"] as const) {
      const text = value.spec.bgp?.[key];
      if (text === undefined || own.includes(readAddress(text.replace(/\/.*$/, "")) ?? "")) continue;
      root
        .find(`resources[${index}].spec.bgp.${key}`)
        .fail(`${text} is not the address of ${node.name}, ${own.join(" and ")}`);
    }
  }
}

/** Every node, switch and pod is a namespace of the lab, so no two may have the same name; nor the same address. */
function checkNames(
  values: readonly YamlValue[],
  nodes: readonly NodeSpec[],
  switchNames: readonly string[],
): void {
  unique(
    values,
    nodes.map((node) => node.address),
  );
  unique(
    values,
    nodes.map((node) => node.address6 ?? node.name),
  );
  const taken = new Set([BRIDGES_NAME, ...switchNames]);
  for (const [index, node] of nodes.entries()) {
    for (const name of [node.name, ...node.pods.map((pod) => pod.name)]) {
      if (taken.has(name))
        values[index]?.fail(
          `the name ${name} is taken: nodes, switches, pods and "${BRIDGES_NAME}" share one name space`,
        );
      taken.add(name);
    }
  }
}
