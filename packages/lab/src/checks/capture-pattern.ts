import { IpAddress } from "@caracal/net";
import { Mac } from "@caracal/netlink";
import type { Layer } from "./packet.ts";

/** How an echo from pod to pod looks on one interface. */
export interface CapturePattern {
  /** As the file has it. */
  readonly text: string;
  /** A node, switch or pod. */
  readonly on: string;
  readonly interface: string;
  readonly way:
    | { readonly kind: "plain" }
    | { readonly kind: "nothing" }
    | { readonly kind: "ipip"; readonly outer: Ends }
    | { readonly kind: "vxlan"; readonly outer: Ends; readonly vni: number; readonly port: number };
}

/** Outer addresses. */
export interface Ends {
  readonly source: string;
  readonly destination: string;
}

export const CAPTURE_RULE =
  'a place, an interface and what is seen there, such as "worker1 eth0 vxlan 4096 10.0.0.21 > 30.0.0.23", "leaf01 swp1 ipip 10.0.0.21 > 30.0.0.23", "worker2 eth0 plain" or "spine swp1 nothing"';

const WORDS =
  /^(\S+) (\S+) (?:(plain|nothing)|(?:(ipip)|vxlan ([0-9]+)(?: port ([0-9]+))?) ([0-9a-f.:]+) > ([0-9a-f.:]+))$/;
const DEFAULT_PORT = 4789;

/** Reads a line of `checks.captures[].seen`. */
export function parseCapturePattern(line: string): CapturePattern | undefined {
  const text = line.trim().replaceAll(/\s+/g, " ");
  const [whole, on = "", device = "", bare, ipip, vni, port, from = "", to = ""] = WORDS.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const place = { text, on, interface: device };
  if (bare === "plain" || bare === "nothing") return { ...place, way: { kind: bare } };
  const [source, destination] = [IpAddress.parse(from), IpAddress.parse(to)];
  if (source === undefined || destination === undefined) return undefined;
  const outer = { source: IpAddress.format(source), destination: IpAddress.format(destination) };
  if (ipip !== undefined) return { ...place, way: { kind: "ipip", outer } };
  const way = { kind: "vxlan", outer, vni: Number(vni), port: Number(port ?? DEFAULT_PORT) } as const;
  return { ...place, way };
}

/** Whether a packet is the echo request from one address to another, in whatever wrapping. */
export function isEchoBetween(layers: readonly Layer[], { source, destination }: Ends): boolean {
  const inner = layers.findLast((layer) => layer.kind === "ip");
  const last = layers.at(-1);
  return (
    last?.kind === "echo" && !last.isReply && inner?.source === source && inner.destination === destination
  );
}

/** Whether an echo is wrapped as the pattern says, and in nothing else. */
export function isWrappedSo(layers: readonly Layer[], { way }: CapturePattern): boolean {
  const [outer, ...more] = layers.filter((layer) => layer.kind === "ip");
  const vxlan = layers.find((layer) => layer.kind === "vxlan");
  if (way.kind === "plain" || way.kind === "nothing") return way.kind === "plain" && more.length === 0;
  const isOuter =
    outer?.source === way.outer.source && outer.destination === way.outer.destination && more.length === 1;
  if (way.kind === "ipip") return isOuter && vxlan === undefined;
  return isOuter && vxlan?.vni === way.vni && vxlan.port === way.port;
}

/** A packet's headers in one line, from the outside in. */
export function describeLayers(layers: readonly Layer[]): string {
  return layers.map(describeLayer).join(" | ");
}

function describeLayer(layer: Layer): string {
  switch (layer.kind) {
    case "ethernet":
      return `${Mac.format(layer.source)} > ${Mac.format(layer.destination)}`;
    case "ip":
      return `${layer.source} > ${layer.destination}`;
    case "vxlan":
      return `UDP ${layer.port}, VXLAN ${layer.vni}`;
    case "echo":
      return layer.isReply ? "echo reply" : "echo request";
  }
}
