import type { ProbePorts, SeenFrame } from "@caracal/forwarding";
import { IpAddress } from "@caracal/net";
import { isArrayOf, isObject } from "./json-shape.ts";

/** The questions by which a daemon watches for a probe, sends it, and tells what it saw. */
export const probeMethods = {
  open: "trace.probe.open",
  send: "trace.probe.send",
  close: "trace.probe.close",
} as const;

/** A watch that nobody closes ends after this. */
export const probeWatchMs = 15_000;

/** A pod to be watched, or that sends. */
export interface ProbePod {
  readonly name: string;
  readonly interfaceName: string;
}

/** What `trace.probe.open` is asked with: the node itself is watched always. */
export interface ProbeOpening {
  /** Names the watch in the questions that follow. */
  readonly id: string;
  /** The probe's last bytes. */
  readonly mark: Uint8Array;
  readonly ports: ProbePorts;
  readonly pods: readonly ProbePod[];
}

/** What it answers: pods (or "" for the node) that cannot be watched, and why. */
export interface ProbeOpened {
  readonly failed: readonly { readonly place: string; readonly because: string }[];
}

/** What `trace.probe.send` is asked with. The source must be an address of the sender. */
export interface ProbeSending {
  readonly id: string;
  /** Absent: the node itself sends. */
  readonly pod?: ProbePod;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: "icmp" | "tcp" | "udp";
  readonly bytes: number;
}

/** A sighting of the probe; `place` is a pod's name, or "" for the node. */
export interface PlacedSighting {
  readonly place: string;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly frame: SeenFrame;
}

export function probeOpeningJson({ mark, ...rest }: ProbeOpening): unknown {
  return { ...rest, mark: mark.toHex() };
}

export function readProbeOpening(value: unknown): ProbeOpening | undefined {
  if (!isObject(value) || !isObject(value["ports"]) || !isArrayOf(value["pods"], isPod)) return undefined;
  const { id, mark, ports, pods } = value;
  const { source, destination } = ports;
  if (typeof id !== "string" || typeof mark !== "string" || !/^([0-9a-f]{2}){4,32}$/.test(mark))
    return undefined;
  if (typeof source !== "number" || typeof destination !== "number") return undefined;
  return { id, mark: Uint8Array.fromHex(mark), ports: { source, destination }, pods };
}

export function readProbeOpened(value: unknown): ProbeOpened | undefined {
  if (!isObject(value)) return undefined;
  const { failed } = value;
  return isArrayOf(failed, isFailure) ? { failed } : undefined;
}

export function probeSendingJson({ source, destination, ...rest }: ProbeSending): unknown {
  return { ...rest, source: IpAddress.format(source), destination: IpAddress.format(destination) };
}

export function readProbeSending(value: unknown): ProbeSending | undefined {
  if (!isObject(value)) return undefined;
  const { id, pod, protocol, bytes } = value;
  const source = IpAddress.parse(String(value["source"]));
  const destination = IpAddress.parse(String(value["destination"]));
  if (
    typeof id !== "string" ||
    typeof bytes !== "number" ||
    source === undefined ||
    destination === undefined
  )
    return undefined;
  if (protocol !== "icmp" && protocol !== "tcp" && protocol !== "udp") return undefined;
  return { id, protocol, bytes, source, destination, ...(isPod(pod) ? { pod } : {}) };
}

export function readSightings(value: unknown): readonly PlacedSighting[] | undefined {
  if (!isObject(value)) return undefined;
  const { sightings } = value;
  return isArrayOf(sightings, isSighting) ? sightings : undefined;
}

function isPod(value: unknown): value is ProbePod {
  return isObject(value) && typeof value["name"] === "string" && typeof value["interfaceName"] === "string";
}

function isFailure(value: unknown): value is ProbeOpened["failed"][number] {
  return isObject(value) && typeof value["place"] === "string" && typeof value["because"] === "string";
}

function isSighting(value: unknown): value is PlacedSighting {
  return (
    isObject(value) &&
    typeof value["place"] === "string" &&
    typeof value["device"] === "string" &&
    (value["direction"] === "in" || value["direction"] === "out") &&
    isObject(value["frame"]) &&
    isArrayOf(value["frame"]["headers"], isObject)
  );
}
