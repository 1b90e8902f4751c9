import {
  type LivePoint,
  type LiveResult,
  type PacketSpec,
  type PlaceName,
  placeText,
  type TraceHop,
  type TraceReport,
  type TraceStep,
  type TraceVerdict,
  type Walk,
} from "@caracal/insight";
import type { AnswerEnd, TraceAnswer } from "./trace-answer.ts";

/** Width of the word that says what a line is about. */
const labelWidth = 8;
const indent = " ".repeat(6);

/** The whole walk, hop by hop, as `ip` and `traceroute` would put it; then the answer's in one line, or whole too. */
export function traceText(answer: TraceAnswer, isReturnWhole: boolean): string {
  const { from, to, packet, report, live, unknown } = answer;
  const { forward, back } = report;
  const lines = [
    `${endText(from)} > ${endText(to)}: ${packetText(packet)}`,
    "",
    ...hopLines(forward.hops),
    "",
    ...verdictLines(forward),
    ...report.otherWays.map(
      ({ at, way, verdict }) => `other flows, at ${placeText(at)} ${way}: ${verdictText(verdict)}`,
    ),
    ...(back === undefined ? [] : returnLines(back, report, isReturnWhole)),
    ...(live === undefined ? [] : liveLines(live)),
    ...unknown.map((one) => `note: ${one}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** `delivered to …`, `lost at …`. */
export function verdictText(verdict: TraceVerdict): string {
  switch (verdict.kind) {
    case "delivered":
      return `delivered to ${placeText(verdict.at)}`;
    case "lost":
      return `lost at ${placeText(verdict.at)}: ${verdict.text}`;
    case "out-of-sight":
      return verdict.isExpected
        ? `leaves at ${placeText(verdict.after)}: ${verdict.text}`
        : `unknown after ${placeText(verdict.after)}: ${verdict.text}`;
  }
}

function hopLines(hops: readonly TraceHop[]): readonly string[] {
  return hops.flatMap((hop, index) => [
    `${String(index + 1).padStart(2)}  ${placeText(hop.place)}`,
    ...(hop.in === undefined ? [] : [line("in", hop.in.device)]),
    ...hop.steps.flatMap(stepLines),
    ...outLines(hop),
  ]);
}

function outLines({ out }: TraceHop): readonly string[] {
  if (out === undefined) return [];
  const { device, mtu, sourceMac, destinationMac } = out;
  const frame = sourceMac === undefined ? "" : `  ${sourceMac} > ${destinationMac ?? "(asked for first)"}`;
  return [line("out", `${device} mtu ${mtu}${frame}`)];
}

function verdictLines({ verdict, pathMtu }: Walk): readonly string[] {
  const mtu = verdict.kind === "delivered" && pathMtu !== undefined ? `, path MTU ${pathMtu}` : "";
  return [
    `${verdictText(verdict)}${mtu}`,
    ...(verdict.kind === "lost" && verdict.hint !== undefined ? [`  try: ${verdict.hint}`] : []),
    ...(verdict.kind === "delivered" ? verdict.assumptions.map((one) => `  taken for granted: ${one}`) : []),
  ];
}

function returnLines(back: Walk, { forward, isSymmetric }: TraceReport, isWhole: boolean): readonly string[] {
  const places = wayText(back.hops.map(({ place }) => place));
  const way =
    isSymmetric === true
      ? "the same way back"
      : forward.verdict.kind === "delivered"
        ? `another way back: ${places}`
        : `by ${places}`;
  const summary = `return: ${verdictText(back.verdict)}${back.verdict.kind === "delivered" ? `, ${way}` : ""}`;
  if (!isWhole) return [summary];
  return [summary, "", ...hopLines(back.hops), "", ...verdictLines(back).slice(1)];
}

/** `default/web (10.244.1.5)`; an address alone is its own name. */
function endText({ name, address }: AnswerEnd): string {
  return address === undefined || address === name ? name : `${name} (${address})`;
}

function packetText({ protocol, port, bytes }: PacketSpec): string {
  const what = protocol === "icmp" ? "ICMP echo" : `${protocol.toUpperCase()} to port ${port ?? 0}`;
  return `${what}, ${bytes} bytes`;
}

/** Where the real packet was seen, as a table; then what that means. */
function liveLines({ points, text, isAnswered, errors, strays, unwatched }: LiveResult): readonly string[] {
  const cells = points.map(
    (point) => [`${placeText(point.place)}, ${point.direction} ${point.device}`, point] as const,
  );
  const width = Math.max(0, ...cells.map(([where]) => where.length));
  return [
    "",
    "sent for real:",
    ...cells.map(([where, point]) =>
      `  ${marks[point.seen]}  ${where.padEnd(width)}  ${point.headers ?? ""}`.trimEnd(),
    ),
    ...strays.map((one) => `  !  ${one}: not expected there`),
    `live: ${text}${isAnswered ? ", and the answer came back" : ""}`,
    ...errors.map((one) => `  ${one}`),
    ...unwatched.map((one) => `  not watched: ${one}`),
  ];
}

const marks: Readonly<Record<LivePoint["seen"], string>> = { yes: "+", no: "-", "not watched": "?" };

function wayText(places: readonly PlaceName[]): string {
  return places.map(({ name }) => name).join(", ");
}

function line(label: string, text: string): string {
  return `${indent}${label.padEnd(labelWidth)}${text}`;
}

function more(text: string): string {
  return line("", text);
}

function stepLines(step: TraceStep): readonly string[] {
  switch (step.kind) {
    case "route":
      return [
        line(step.isOuter ? "route*" : "route", step.route),
        more(step.why),
        ...step.beaten.map((one) => more(`not ${one}`)),
      ];
    case "neighbour":
      return [
        line(
          "neigh",
          `${step.address} dev ${step.device}${step.mac === undefined ? "" : ` lladdr ${step.mac}`} ${step.state}`,
        ),
        ...(step.note === undefined ? [] : [more(step.note)]),
      ];
    case "proxy":
      return [more(step.note)];
    case "forwarding":
      return [
        line("fdb", `${step.mac} dev ${step.device} dst ${step.remote}${step.isFlood ? " (flooded)" : ""}`),
      ];
    case "encapsulate":
      return [
        line(
          "encap",
          `${tunnelText(step)}; ${step.bytes} bytes, ${step.overheadBytes} of them for the tunnel`,
        ),
        ...innerLines(step),
      ];
    case "decapsulate":
      return [line("decap", tunnelText(step)), ...innerLines(step)];
    case "nat":
      return [line("nat", `${step.how} ${step.from} > ${step.to}`), more(step.by)];
    case "mtu":
      return [line("mtu", `${step.bytes} bytes do not fit ${step.device} mtu ${step.mtu}`)];
    case "note":
      return [line("note", step.text)];
    case "unseen":
      return [line("?", step.text)];
    case "deliver":
      return [line("arrives", step.address)];
  }
}

type TunnelStep = Extract<TraceStep, { readonly kind: "encapsulate" | "decapsulate" }>;

/** `tunl0: IPIP (protocol 4) 10.0.0.21 > 30.0.0.23`. */
function tunnelText({ tunnel, device, outer }: TunnelStep): string {
  const { source, destination, ipProtocol, vni, port } = outer;
  const what =
    tunnel === "ipip" ? `IPIP (protocol ${ipProtocol})` : `VXLAN id ${vni ?? "?"} (UDP port ${port ?? "?"})`;
  return `${device}: ${what} ${source} > ${destination}`;
}

function innerLines({ outer }: TunnelStep): readonly string[] {
  const { innerSourceMac, innerDestinationMac } = outer;
  if (innerSourceMac === undefined || innerDestinationMac === undefined) return [];
  return [more(`frame inside: ${innerSourceMac} > ${innerDestinationMac}`)];
}
