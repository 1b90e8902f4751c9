import { titleOfDaemon } from "./switches/lab-switches.ts";
import type { NetworkSpec, NodeSpec, SwitchSpec, Topology } from "./topology.ts";

const GAP = "   ";

/**
 * The topology in plain text: switches as boxes, those without racks above those with, and under each the networks and
 * the nodes in them; with subnets, addresses and AS numbers.
 */
export function drawTopology(topology: Topology): string {
  const upper = topology.switches.filter((spec) => !hasRack(spec));
  const lower = topology.switches.filter(hasRack);
  const columns = [
    ...lower.map((spec) => [
      ...drawSwitch(topology, spec),
      ...drawNetworks(topology, racksOf(topology, spec)),
    ]),
    ...topology.networks
      .filter(({ kind }) => kind === "lan")
      .map((network) => drawNetworks(topology, [network])),
  ];
  const rows = [upper.map((spec) => drawSwitch(topology, spec)), columns].filter((row) => row.length > 0);
  const [first = [], second] = rows.map(sideBySide);
  const lines = second === undefined ? first : [...first, ...drawCables(topology, lower, columns), ...second];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function hasRack({ interfaces }: SwitchSpec): boolean {
  return interfaces.some(({ isRack }) => isRack);
}

function racksOf({ networks }: Topology, spec: SwitchSpec): readonly NetworkSpec[] {
  return networks.filter(({ name }) => spec.interfaces.some((one) => one.isRack && one.network === name));
}

/** A box: name, AS and daemon; then each interface with its address and where it leads. */
function drawSwitch(topology: Topology, spec: SwitchSpec): readonly string[] {
  const rows = spec.interfaces.map(({ name, network, address }) => {
    const { subnet = "" } = topology.networks.find((one) => one.name === network) ?? {};
    const length = subnet.slice(subnet.indexOf("/"));
    const others = topology.switches.filter(
      (other) => other !== spec && other.interfaces.some((one) => one.network === network),
    );
    return [name, `${address}${length}`, `to ${others.map((other) => other.name).join(", ") || network}`];
  });
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const inside = [
    `${spec.name}   AS ${spec.asNumber}   ${titleOfDaemon(spec.daemon)}`,
    ...rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")),
  ];
  const width = Math.max(...inside.map((line) => line.length));
  const edge = `+${"-".repeat(width + 2)}+`;
  return [edge, ...inside.map((line) => `| ${line.padEnd(width)} |`), edge];
}

/** Lines down from the upper switches to those below that they have cables to. */
function drawCables(
  topology: Topology,
  lower: readonly SwitchSpec[],
  columns: readonly (readonly string[])[],
): readonly string[] {
  let line = "";
  let start = 0;
  for (const [index, column] of columns.entries()) {
    const width = Math.max(...column.map((row) => row.length));
    const spec = lower[index];
    const isCabled = spec?.neighbors.some((peer) => topology.switches.some((one) => one.name === peer.name));
    if (isCabled === true) line = `${line.padEnd(start + Math.min(6, width - 1))}|`;
    start += width + GAP.length;
  }
  return line === "" ? [] : [line];
}

/** The networks below each other, with their nodes hanging from them. */
function drawNetworks(topology: Topology, networks: readonly NetworkSpec[]): readonly string[] {
  return networks.flatMap((network) => {
    const nodes = topology.nodes.filter((node) => node.network === network.name);
    const isOwnGateway = network.kind === "lan" && network.gateway !== undefined;
    const head = [
      ...(network.kind === "rack" ? ["      |"] : []),
      `${network.name}   ${network.subnet}${isOwnGateway ? `   gateway ${network.gateway}` : ""}`,
    ];
    return [...head, ...drawNodes(topology, nodes)];
  });
}

function drawNodes({ resources }: Topology, nodes: readonly NodeSpec[]): readonly string[] {
  const rows = nodes.map(({ name, address, asNumber, pods }) => {
    const node = resources.find((one) => one.kind === "Node" && one.name === name)?.value;
    const clusterId = node?.kind === "Node" ? node.spec.bgp?.routeReflectorClusterID : undefined;
    return [
      name,
      address,
      `AS ${asNumber}`,
      clusterId === undefined ? "" : `reflector ${clusterId}`,
      pods.map((pod) => pod.name).join(" "),
    ];
  });
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => {
    const cells = row.filter((_, column) => widths[column] !== 0);
    const filled = widths.filter((width) => width !== 0);
    return `  +- ${cells.map((cell, column) => cell.padEnd(filled[column] ?? 0)).join("  ")}`.trimEnd();
  });
}

/** Blocks of lines next to each other, as high as the highest. */
function sideBySide(blocks: readonly (readonly string[])[]): readonly string[] {
  const height = Math.max(...blocks.map((block) => block.length));
  const widths = blocks.map((block) => Math.max(...block.map((line) => line.length)));
  return Array.from({ length: height }, (_, row) =>
    blocks.map((block, column) => (block[row] ?? "").padEnd(widths[column] ?? 0)).join(GAP),
  );
}
