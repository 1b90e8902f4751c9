import { type NetworkState, networkStateJson, readNetworkState } from "@caracal/forwarding";
import { IpAddress } from "@caracal/net";
import { isObject } from "./json-shape.ts";

/** The question whose answer is a `TraceState`. */
export const traceStateMethod = "trace.state";

/** What `trace.state` is asked for. */
export interface TraceInterest {
  /** What the node should tell of: ends of the walk, and the nodes' own addresses. */
  readonly addresses: readonly IpAddress[];
  /** Pods of the node whose namespaces are to be looked into, with the host's ends of their links. */
  readonly pods: readonly { readonly name: string; readonly interfaceName: string }[];
}

/** What a daemon answers to `trace.state`: the kernel's state as far as it matters, its own and that of pods. */
export interface TraceState {
  readonly node: string;
  readonly state: NetworkState;
  readonly pods: readonly PodTraceState[];
}

export interface PodTraceState {
  readonly name: string;
  readonly state?: NetworkState;
  /** Why there is no state. */
  readonly unknownBecause?: string;
}

export function traceInterestJson({ addresses, pods }: TraceInterest): unknown {
  return { addresses: addresses.map(IpAddress.format), pods };
}

export function readTraceInterest(value: unknown): TraceInterest | undefined {
  if (!isObject(value) || !Array.isArray(value["addresses"]) || !Array.isArray(value["pods"]))
    return undefined;
  const texts: readonly unknown[] = value["addresses"];
  const pods: readonly unknown[] = value["pods"];
  return {
    addresses: texts.flatMap((text) => (typeof text === "string" ? IpAddress.parse(text) : undefined) ?? []),
    pods: pods.flatMap((pod) => {
      if (!isObject(pod)) return [];
      const { name, interfaceName } = pod;
      return typeof name === "string" && typeof interfaceName === "string" ? [{ name, interfaceName }] : [];
    }),
  };
}

export function traceStateJson({ node, state, pods }: TraceState): unknown {
  return {
    node,
    state: networkStateJson(state),
    pods: pods.map((pod) => (pod.state === undefined ? pod : { ...pod, state: networkStateJson(pod.state) })),
  };
}

/** A state that came as JSON; `undefined` for anything else. */
export function readTraceState(value: unknown): TraceState | undefined {
  if (!isObject(value) || typeof value["node"] !== "string" || !Array.isArray(value["pods"]))
    return undefined;
  const state = readNetworkState(value["state"]);
  const pods: readonly unknown[] = value["pods"];
  if (state === undefined) return undefined;
  return { node: value["node"], state, pods: pods.flatMap((pod) => readPod(pod) ?? []) };
}

function readPod(value: unknown): PodTraceState | undefined {
  if (!isObject(value) || typeof value["name"] !== "string") return undefined;
  const state = readNetworkState(value["state"]);
  const because = value["unknownBecause"];
  return {
    name: value["name"],
    ...(state === undefined ? {} : { state }),
    ...(typeof because === "string" ? { unknownBecause: because } : {}),
  };
}
