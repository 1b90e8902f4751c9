import { placeText, type TraceHop, type TraceStep, type TraceVerdict, type Walk } from "@caracal/insight";
import { verdictText } from "./trace-text.ts";

/** Boxes for places, cables between them, as labs draw their topologies. */
export function drawTrace({ hops, verdict }: Walk): string {
  const boxes = hops.map(boxLines);
  const width = Math.max(...boxes.flat().map((line) => line.length));
  const edge = `+${"-".repeat(width + 2)}+`;
  const lines = boxes.flatMap((box, index) => [
    ...(index === 0 ? [] : cableLines(hops[index - 1], hops[index])),
    edge,
    ...box.map((line) => `| ${line.padEnd(width)} |`),
    edge,
  ]);
  return [
    ...lines,
    ...(verdict.kind === "delivered" ? [] : ["      |", "      X"]),
    verdictText(verdict),
    "",
  ].join("\n");
}

/** The same for Mermaid (flowchart). */
export function mermaidTrace({ hops, verdict }: Walk): string {
  const quote = (text: string): string => `"${text.replaceAll('"', "#quot;").replaceAll("<", "#lt;")}"`;
  const nodes = hops.map((hop, index) =>
    `  p${index}[${quote(boxLines(hop).join("<br>"))}]`.replaceAll("#lt;br>", "<br>"),
  );
  const edges = hops
    .slice(1)
    .map((hop, index) => `  p${index} -->|${quote(cableText(hops[index], hop))}| p${index + 1}`);
  const end = isEnd(verdict) ? [] : [`  p${hops.length - 1} --x lost[${quote(verdictText(verdict))}]`];
  return ["flowchart TD", ...nodes, ...edges, ...end, ""].join("\n");
}

/** The same for Graphviz. */
export function dotTrace({ hops, verdict }: Walk): string {
  const quote = (text: string): string =>
    `"${text.replaceAll("\\", String.raw`\\`).replaceAll('"', String.raw`\"`)}"`;
  const nodes = hops.map(
    (hop, index) =>
      `  p${index} [label=${quote(boxLines(hop).join("\n")).replaceAll("\n", String.raw`\n`)}];`,
  );
  const edges = hops
    .slice(1)
    .map((hop, index) => `  p${index} -> p${index + 1} [label=${quote(cableText(hops[index], hop))}];`);
  const end = isEnd(verdict)
    ? []
    : [
        `  lost [shape=plaintext, label=${quote(verdictText(verdict))}];`,
        `  p${hops.length - 1} -> lost [style=dashed];`,
      ];
  return ["digraph trace {", "  node [shape=box];", ...nodes, ...edges, ...end, "}", ""].join("\n");
}

function isEnd({ kind }: TraceVerdict): boolean {
  return kind === "delivered";
}

/** The place, and what it does besides passing on. */
function boxLines({ place, steps }: TraceHop): readonly string[] {
  return [placeText(place), ...steps.flatMap(eventText)];
}

function eventText(step: TraceStep): readonly string[] {
  switch (step.kind) {
    case "route":
      return [step.route];
    case "encapsulate":
    case "decapsulate": {
      const { source, destination, vni } = step.outer;
      const tunnel = step.tunnel === "ipip" ? "IPIP" : `VXLAN id ${vni ?? "?"}`;
      return [
        `${step.kind === "encapsulate" ? "into" : "out of"} ${step.device}: ${tunnel} ${source} > ${destination}`,
      ];
    }
    case "nat":
      return [`${step.how} ${step.from} > ${step.to}`];
    case "deliver":
      return [`${step.address} is here`];
    case "neighbour":
    case "proxy":
    case "forwarding":
    case "mtu":
    case "note":
    case "unseen":
      return [];
  }
}

function cableLines(from: TraceHop | undefined, to: TraceHop | undefined): readonly string[] {
  const { out } = from ?? {};
  const macs = out?.sourceMac === undefined ? "" : `   ${out.sourceMac} > ${out.destinationMac ?? "?"}`;
  return [`      | ${out?.device ?? ""}${macs}`.trimEnd(), `      | ${to?.in?.device ?? ""}`.trimEnd()];
}

function cableText(from: TraceHop | undefined, to: TraceHop): string {
  return [from?.out?.device, to.in?.device].filter((name) => name !== undefined).join(" > ");
}
