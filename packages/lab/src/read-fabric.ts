import { Ipv4, Prefix, type Prefix4 } from "@caracal/net";
import { AsNumber } from "@caracal/resources";
import { matching, oneOf, readAnyPrefix, readHost, readPrefix, readPrefix6, unique } from "./read-text.ts";
import {
  NETWORK_NAME,
  NETWORK_NAME_RULE,
  type NetworkSpec,
  NODE_NAME,
  NODE_NAME_RULE,
  type NodeSpec,
  SWITCH_DAEMONS,
  type SwitchInterface,
  type SwitchNeighbor,
  type SwitchSpec,
} from "./topology.ts";
import type { YamlValue } from "./yaml-value.ts";

/** The networks and switches of a file, before its nodes are known. */
export interface Fabric {
  readonly networks: readonly NetworkSpec[];
  /** The switches; their sessions depend on the nodes' AS numbers. */
  readonly withNodes: (nodes: readonly NodeSpec[]) => readonly SwitchSpec[];
  /** Names that no node or pod may have. */
  readonly switchNames: readonly string[];
}

type SwitchHead = Pick<SwitchSpec, "name" | "daemon" | "asNumber" | "servers">;

/** A network with the switch that is plugged into it, and its address there. */
interface Plug {
  readonly switch: string;
  readonly network: NetworkSpec;
  readonly address: string;
}

/** Reads `networks`, `racks`, `links` and `switches`. */
export function readFabric(root: YamlValue): Fabric {
  const switchValues = root.optional("switches")?.list() ?? [];
  const heads = switchValues.map(readSwitch);
  const switchNames = heads.map(({ name }) => name);
  unique(switchValues, switchNames);
  const lanValues = root.optional("networks")?.list() ?? [];
  const rackValues = root.optional("racks")?.list() ?? [];
  const linkValues = root.optional("links")?.list() ?? [];
  const lans = lanValues.map(readLan);
  const racks = rackValues.map((value) => readRack(value, switchNames));
  const links = linkValues.map((value, index) => readLink(value, switchNames, index + 1));
  const plugs = [...racks, ...links.flat()];
  const networks = [...lans, ...racks.map((rack) => rack.network), ...links.map(([plug]) => plug.network)];
  const values = [...lanValues, ...rackValues, ...linkValues];
  if (lans.length + racks.length === 0) root.required("networks").fail("at least one network is needed");
  unique(
    values,
    networks.map(({ name }) => name),
  );
  checkSubnets(values, networks);
  return {
    networks,
    switchNames,
    withNodes: (nodes) =>
      heads.map((head) => ({
        ...head,
        interfaces: interfacesOf(head.name, plugs),
        neighbors: [
          ...switchNeighbors(head.name, plugs, heads),
          ...(head.servers === "none" ? [] : nodeNeighbors(head, plugs, nodes)),
        ],
      })),
  };
}

function readSwitch(value: YamlValue): SwitchHead {
  value.withKeys(["name", "asNumber", "daemon", "servers"]);
  return {
    name: value.required("name").as(NODE_NAME_RULE, matching(NODE_NAME)),
    asNumber: value.required("asNumber").as("an AS number such as 65001", readAsNumber),
    daemon: value.optional("daemon")?.as("caracal, bird or frr", oneOf(SWITCH_DAEMONS)) ?? "caracal",
    servers:
      value.optional("servers")?.as("none, internal or external", oneOf(["none", "internal", "external"])) ??
      "none",
  };
}

function readLan(value: YamlValue): NetworkSpec {
  value.withKeys(["name", "subnet", "gateway", "subnet6", "gateway6"]);
  const name = readName(value);
  const subnet = value
    .required("subnet")
    .as("a subnet such as 172.18.0.0/16 or fd00:172:18::/64", readAnyPrefix);
  const gateway = readGateway(value.optional("gateway"), subnet);
  const lan: NetworkSpec = {
    name,
    kind: "lan",
    subnet: Prefix.format(subnet),
    ...(gateway === undefined ? {} : { gateway }),
  };
  const second = value.optional("subnet6");
  if (second === undefined) {
    if (value.optional("gateway6") !== undefined) value.required("subnet6");
    return lan;
  }
  if (subnet.family === 6) second.fail("the network's subnet is IPv6 already");
  const subnet6 = second.as("an IPv6 subnet such as fd00:172:18::/64", readPrefix6);
  const gateway6 = readGateway(value.optional("gateway6"), subnet6);
  return { ...lan, subnet6: Prefix.format(subnet6), ...(gateway6 === undefined ? {} : { gateway6 }) };
}

function readGateway(value: YamlValue | undefined, subnet: Prefix): string | undefined {
  return value?.as(`an address in ${Prefix.format(subnet)}`, (text) => readHost(text, subnet));
}

function readRack(value: YamlValue, switchNames: readonly string[]): Plug {
  value.withKeys(["name", "subnet", "gateway", "switch"]);
  const { name, subnet } = readSubnet(value);
  const address = value
    .required("gateway")
    .as(`an address in ${Prefix.format(subnet)}`, (text) => readHost(text, subnet));
  const network: NetworkSpec = { name, kind: "rack", subnet: Prefix.format(subnet), gateway: address };
  return { switch: readSwitchName(value.required("switch"), switchNames), network, address };
}

/** A cable between two switches; they have its first two addresses, in the order they are named. */
function readLink(value: YamlValue, switchNames: readonly string[], number: number): readonly [Plug, Plug] {
  value.withKeys(["switches", "subnet"]);
  const ends = value.required("switches").list();
  const [near, far] = ends.map((end) => readSwitchName(end, switchNames));
  if (near === undefined || far === undefined || near === far || ends.length > 2)
    return value.required("switches").fail("two different switches are needed");
  const subnet = value.required("subnet").as("an IPv4 subnet such as 10.1.1.0/30", readPrefix);
  if (subnet.length > 30) value.required("subnet").fail("a link needs two addresses: /30 or shorter");
  const name = `${near}-${far}`;
  const network: NetworkSpec = {
    name: NETWORK_NAME.test(name) ? name : `link${number}`,
    kind: "link",
    subnet: Prefix.format(subnet),
  };
  return [
    { switch: near, network, address: hostOf(subnet, 1) },
    { switch: far, network, address: hostOf(subnet, 2) },
  ];
}

function readSwitchName(value: YamlValue, names: readonly string[]): string {
  return value.as(`one of the switches ${names.join(", ") || "(there are none)"}`, oneOf(names));
}

function readSubnet(value: YamlValue): { readonly name: string; readonly subnet: Prefix4 } {
  const subnet = value.required("subnet").as("an IPv4 subnet such as 172.18.0.0/16", readPrefix);
  return { name: readName(value), subnet };
}

function readName(value: YamlValue): string {
  return value.required("name").as(NETWORK_NAME_RULE, matching(NETWORK_NAME));
}

function interfacesOf(name: string, plugs: readonly Plug[]): readonly SwitchInterface[] {
  return plugs
    .filter((plug) => plug.switch === name)
    .map(({ network, address }, index) => ({
      name: `swp${index + 1}`,
      network: network.name,
      address,
      isRack: network.kind === "rack",
    }));
}

function switchNeighbors(
  name: string,
  plugs: readonly Plug[],
  heads: readonly SwitchHead[],
): readonly SwitchNeighbor[] {
  const own = plugs.filter((plug) => plug.switch === name && plug.network.kind === "link");
  return own.flatMap(({ network, address: localAddress }) =>
    plugs
      .filter((plug) => plug.network === network && plug.switch !== name)
      .map((plug) => ({
        name: plug.switch,
        address: plug.address,
        asNumber: heads.find((head) => head.name === plug.switch)?.asNumber ?? 0,
        localAddress,
        isNode: false,
      })),
  );
}

function nodeNeighbors(
  head: SwitchHead,
  plugs: readonly Plug[],
  nodes: readonly NodeSpec[],
): readonly SwitchNeighbor[] {
  const racks = plugs.filter((plug) => plug.switch === head.name && plug.network.kind === "rack");
  return racks.flatMap(({ network, address: localAddress }) =>
    nodes
      .filter((node) => node.network === network.name)
      .map((node) => ({
        name: node.name,
        address: node.address,
        asNumber: head.servers === "internal" ? head.asNumber : node.asNumber,
        localAddress,
        isNode: true,
      })),
  );
}

function checkSubnets(values: readonly YamlValue[], networks: readonly NetworkSpec[]): void {
  const earlier: Prefix[] = [];
  for (const [index, { subnet: first, subnet6: second }] of networks.entries()) {
    for (const text of [first, second]) {
      const subnet = text === undefined ? undefined : Prefix.parse(text);
      if (subnet === undefined) continue;
      const other = earlier.find((one) => Prefix.overlaps(one, subnet));
      if (other !== undefined)
        values[index]?.fail(`its subnet ${Prefix.format(subnet)} overlaps ${Prefix.format(other)}`);
      earlier.push(subnet);
    }
  }
}

function hostOf(subnet: Prefix4, number: number): string {
  return Ipv4.format(Ipv4.add(subnet.address, number) ?? subnet.address);
}

function readAsNumber(text: string): number | undefined {
  const asNumber = AsNumber.parse(text);
  return asNumber === 0 ? undefined : asNumber;
}
