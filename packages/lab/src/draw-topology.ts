import { titleOfDaemon } from "./switches/lab-switches.ts";
import type { NetworkSpec, NodeSpec, SwitchSpec, Topology } from "./topology.ts";

const GAP = "   ";
/** What does not fit next to each other stands below. */
const MAX_WIDTH = 160;

/**
 * The topology in plain text: switches as boxes, those without racks above those with, and under each the networks and
 * the nodes in them; with subnets, addresses and AS numbers.
 */
export function drawTopology(topology: Topology): string {
  const upper = topology.switches.filter((spec) => !hasRack(spec));
  const lower = topology.switches.filter(hasRack);
  const columns: readonly Column[] = [
    ...lower.map((spec) => ({
      lines: [...drawSwitch(topology, spec), ...drawNetworks(topology, racksOf(topology, spec))],
      isCabled: spec.neighbors.some((peer) => topology.switches.some((one) => one.name === peer.name)),
    })),
    ...topology.networks
      .filter(({ kind }) => kind === "lan")
      .map((network) => ({ lines: drawNetworks(topology, [network]), isCabled: false })),
  ];
  const above = inRows(upper.map((spec) => ({ lines: drawSwitch(topology, spec), isCabled: false })));
  const below = inRows(columns).flatMap((row, index) => [
    ...(index > 0 ? [""] : []),
    ...(above.length > 0 ? drawCables(row) : []),
    ...sideBySide(row),
  ]);
  return [...above.flatMap(sideBySide), ...below].map((line) => `${line.trimEnd()}\n`).join("");
}

/** What stands below each other. */
interface Column {
  readonly lines: readonly string[];
  /** A cable leads up from it. */
  readonly isCabled: boolean;
}

function hasRack({ interfaces }: SwitchSpec): boolean {
  return interfaces.some(({ isRack }) => isRack);
}

function racksOf({ networks }: Topology, spec: SwitchSpec): readonly NetworkSpec[] {
  return networks.filter(({ name }) => spec.interfaces.some((one) => one.isRack && one.network === name));
}

/** A box: name, AS and daemon; then each interface with its address and where it leads. */
function drawSwitch(topology: Topology, spec: SwitchSpec): readonly string[] {
  const rows = spec.interfaces.flatMap(({ name, network, address, address6 }) => {
    const { subnet = "", subnet6 = "" } = topology.networks.find((one) => one.name === network) ?? {};
    const withLength = (text: string, of: string): string => `${text}${of.slice(of.indexOf("/"))}`;
    const others = topology.switches.filter(
      (other) => other !== spec && other.interfaces.some((one) => one.network === network),
    );
    const end = `to ${others.map((other) => other.name).join(", ") || network}`;
    return [
      [name, withLength(address, subnet), end],
      ...(address6 === undefined ? [] : [["", withLength(address6, subnet6), ""]]),
    ];
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

/** Lines down from the upper switches to those below that have cables. */
function drawCables(columns: readonly Column[]): readonly string[] {
  let line = "";
  let start = 0;
  for (const column of columns) {
    const width = widthOf(column);
    if (column.isCabled) line = `${line.padEnd(start + Math.min(6, width - 1))}|`;
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
      ...(network.subnet6 === undefined
        ? []
        : [
            `${" ".repeat(network.name.length)}   ${network.subnet6}${network.gateway6 === undefined ? "" : `   gateway ${network.gateway6}`}`,
          ]),
    ];
    return [...head, ...drawNodes(topology, nodes)];
  });
}

function drawNodes({ resources }: Topology, nodes: readonly NodeSpec[]): readonly string[] {
  const rows = nodes.map(({ name, address, address6, asNumber, pods }) => {
    const node = resources.find((one) => one.kind === "Node" && one.name === name)?.value;
    const clusterId = node?.kind === "Node" ? node.spec.bgp?.routeReflectorClusterID : undefined;
    return [
      name,
      address,
      address6 ?? "",
      `AS ${asNumber}`,
      clusterId === undefined ? "" : `reflector ${clusterId}`,
      pods.map((pod) => pod.name).join(" "),
    ];
  });
  const widths = [0, 1, 2, 3, 4, 5].map((column) =>
    Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) => {
    const cells = row.filter((_, column) => widths[column] !== 0);
    const filled = widths.filter((width) => width !== 0);
    return `  +- ${cells.map((cell, column) => cell.padEnd(filled[column] ?? 0)).join("  ")}`.trimEnd();
  });
}

/** As many columns next to each other as fit. */
function inRows(columns: readonly Column[]): readonly (readonly Column[])[] {
  const rows: Column[][] = [];
  let width = 0;
  for (const column of columns) {
    const row = rows.at(-1);
    width += GAP.length + widthOf(column);
    if (row !== undefined && width <= MAX_WIDTH) row.push(column);
    else {
      rows.push([column]);
      width = widthOf(column);
    }
  }
  return rows;
}

/** Columns next to each other, as high as the highest. */
function sideBySide(columns: readonly Column[]): readonly string[] {
  const height = Math.max(...columns.map(({ lines }) => lines.length));
  return Array.from({ length: height }, (_, row) =>
    columns.map((column) => (column.lines[row] ?? "").padEnd(widthOf(column))).join(GAP),
  );
}

function widthOf({ lines }: Column): number {
  return Math.max(...lines.map((line) => line.length));
}
