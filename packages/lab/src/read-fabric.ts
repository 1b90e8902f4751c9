import { IpAddress, Prefix, type Prefix4 } from "@caracal/net";
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
  readonly address6?: string;
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
  const subnet6 = readSubnet6(value);
  if (subnet6 === undefined) return lan;
  if (subnet.family === 6) value.required("subnet6").fail("the network's subnet is IPv6 already");
  const gateway6 = readGateway(value.optional("gateway6"), subnet6);
  return { ...lan, subnet6: Prefix.format(subnet6), ...(gateway6 === undefined ? {} : { gateway6 }) };
}

/** The second family's, without which there is no gateway of it. */
function readSubnet6(value: YamlValue): Prefix | undefined {
  if (value.optional("gateway6") !== undefined) value.required("subnet6");
  return value.optional("subnet6")?.as("an IPv6 subnet such as fd00:172:18::/64", readPrefix6);
}

function readGateway(value: YamlValue | undefined, subnet: Prefix): string | undefined {
  return value?.as(`an address in ${Prefix.format(subnet)}`, (text) => readHost(text, subnet));
}

function readRack(value: YamlValue, switchNames: readonly string[]): Plug {
  value.withKeys(["name", "subnet", "gateway", "subnet6", "gateway6", "switch"]);
  const { name, subnet } = readSubnet(value);
  const address = value
    .required("gateway")
    .as(`an address in ${Prefix.format(subnet)}`, (text) => readHost(text, subnet));
  const subnet6 = readSubnet6(value);
  const address6 = subnet6 && readGateway(value.required("gateway6"), subnet6);
  const network: NetworkSpec = {
    name,
    kind: "rack",
    subnet: Prefix.format(subnet),
    gateway: address,
    ...(subnet6 && address6 ? { subnet6: Prefix.format(subnet6), gateway6: address6 } : {}),
  };
  return {
    switch: readSwitchName(value.required("switch"), switchNames),
    network,
    address,
    ...(address6 === undefined ? {} : { address6 }),
  };
}

/** A cable between two switches; they have its first two addresses, in the order they are named. */
function readLink(value: YamlValue, switchNames: readonly string[], number: number): readonly [Plug, Plug] {
  value.withKeys(["switches", "subnet", "subnet6"]);
  const ends = value.required("switches").list();
  const [near, far] = ends.map((end) => readSwitchName(end, switchNames));
  if (near === undefined || far === undefined || near === far || ends.length > 2)
    return value.required("switches").fail("two different switches are needed");
  const subnet = value.required("subnet").as("an IPv4 subnet such as 10.1.1.0/30", readPrefix);
  if (subnet.length > 30) value.required("subnet").fail("a link needs two addresses: /30 or shorter");
  const subnet6 = readSubnet6(value);
  if (subnet6 !== undefined && subnet6.length > 126)
    value.required("subnet6").fail("a link needs two addresses: /126 or shorter");
  const name = `${near}-${far}`;
  const network: NetworkSpec = {
    name: NETWORK_NAME.test(name) ? name : `link${number}`,
    kind: "link",
    subnet: Prefix.format(subnet),
    ...(subnet6 === undefined ? {} : { subnet6: Prefix.format(subnet6) }),
  };
  const end = (name: string, number: bigint): Plug => ({
    switch: name,
    network,
    address: hostOf(subnet, number),
    ...(subnet6 === undefined ? {} : { address6: hostOf(subnet6, number) }),
  });
  return [end(near, 1n), end(far, 2n)];
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
    .map(({ network, address, address6 }, index) => ({
      name: `swp${index + 1}`,
      network: network.name,
      address,
      ...(address6 === undefined ? {} : { address6 }),
      isRack: network.kind === "rack",
    }));
}

function switchNeighbors(
  name: string,
  plugs: readonly Plug[],
  heads: readonly SwitchHead[],
): readonly SwitchNeighbor[] {
  const own = plugs.filter((plug) => plug.switch === name && plug.network.kind === "link");
  return own.flatMap((near) =>
    plugs
      .filter((plug) => plug.network === near.network && plug.switch !== name)
      .flatMap((far) => {
        const asNumber = heads.find((head) => head.name === far.switch)?.asNumber ?? 0;
        return inBothFamilies(near, far, { name: far.switch, asNumber, isNode: false });
      }),
  );
}

function nodeNeighbors(
  head: SwitchHead,
  plugs: readonly Plug[],
  nodes: readonly NodeSpec[],
): readonly SwitchNeighbor[] {
  const racks = plugs.filter((plug) => plug.switch === head.name && plug.network.kind === "rack");
  return racks.flatMap((near) =>
    nodes
      .filter((node) => node.network === near.network.name)
      .flatMap((node) => {
        const asNumber = head.servers === "internal" ? head.asNumber : node.asNumber;
        return inBothFamilies(near, node, { name: node.name, asNumber, isNode: true });
      }),
  );
}

/** One session for each family that both ends have an address of. */
function inBothFamilies(
  near: Pick<Plug, "address" | "address6">,
  far: { readonly address: string; readonly address6?: string },
  rest: Omit<SwitchNeighbor, "address" | "localAddress">,
): readonly SwitchNeighbor[] {
  return [
    { ...rest, address: far.address, localAddress: near.address },
    ...(near.address6 === undefined || far.address6 === undefined
      ? []
      : [{ ...rest, address: far.address6, localAddress: near.address6 }]),
  ];
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

function hostOf(subnet: Prefix, number: bigint): string {
  return IpAddress.format(Prefix.at(subnet, number) ?? subnet.address);
}

function readAsNumber(text: string): number | undefined {
  const asNumber = AsNumber.parse(text);
  return asNumber === 0 ? undefined : asNumber;
}
