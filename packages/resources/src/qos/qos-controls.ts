import { parseQuantity } from "./quantity.ts";

/** `spec.qosControls` of a WorkloadEndpoint: bits, bytes, packets, connections, as Calico's API names and counts them. */
export type QosControls = Readonly<Record<string, number | string>>;

export interface QosReading {
  /** Absent when nothing is asked for. */
  readonly controls?: QosControls;
  /** One line for each value that could not be taken as it is. */
  readonly problems: readonly string[];
}

const annotationPrefix = "qos.projectcalico.org/";
/** Kubernetes' own, which Calico's go before. */
const kubernetesNames = {
  ingressBandwidth: "kubernetes.io/ingress-bandwidth",
  egressBandwidth: "kubernetes.io/egress-bandwidth",
} as const;

/** A control of one direction, whose name goes before it: `ingressBandwidth`. */
type QosControlName =
  | "Bandwidth"
  | "Burst"
  | "Peakrate"
  | "Minburst"
  | "PacketRate"
  | "PacketBurst"
  | "MaxConnections";

export type QosDirection = "ingress" | "egress";

interface Control {
  readonly name: QosControlName;
  readonly least: number;
  readonly most: number;
  /** The control without which this one says nothing. */
  readonly needs?: QosControlName;
  /** In force when what it belongs to is given and it is not. */
  readonly otherwise?: number;
}

const u32Max = 0xffff_ffff;
/** Bits (this and the next: fact sheet on CNI, "Bandwidth"). */
const defaultBurst = 4 * 2 ** 30;
const defaultPacketBurst = 5;

/** Source: fact sheet on CNI, "Bandwidth". In the order in which they need each other. */
const controls: readonly Control[] = [
  { name: "Bandwidth", least: 1e3, most: 1e15 },
  { name: "Burst", least: 1e3, most: 34_359_738_360, needs: "Bandwidth", otherwise: defaultBurst },
  { name: "Peakrate", least: 1.01e3, most: 1.01e15, needs: "Bandwidth" },
  { name: "Minburst", least: 1e3, most: 1e8, needs: "Peakrate" },
  { name: "PacketRate", least: 1, most: 1e4 },
  { name: "PacketBurst", least: 1, most: 1e4, needs: "PacketRate", otherwise: defaultPacketBurst },
  { name: "MaxConnections", least: 1, most: u32Max },
];

/** Names of differentiated services (RFC 2474, 2597, 3246). */
const dscpNames = /^(DF|EF|AF[1-4][1-3]|CS[0-7])$/;

/** Reads a pod's annotations. Values out of range are brought into it, and senseless ones left out; each is told. */
export function readQosControls(annotations: ReadonlyMap<string, string>): QosReading {
  const found: Record<string, number | string> = {};
  const problems: string[] = [];
  for (const direction of ["ingress", "egress"] as const) {
    for (const control of controls) readControl(direction, control, annotations, found, problems);
    checkPeak(direction, found, problems);
  }
  const dscp = annotations.get(`${annotationPrefix}dscp`) ?? "";
  if (isDscp(dscp)) found["dscp"] = /^[0-9]+$/.test(dscp) ? Number(dscp) : dscp;
  else if (dscp !== "")
    problems.push(`${annotationPrefix}dscp must be 0 to 63 or a name such as EF: it is ${shown(dscp)}`);
  return { problems, ...(Object.keys(found).length > 0 && { controls: found }) };
}

/** What an endpoint's controls say of one direction, ingress being what the workload receives. */
export interface DirectionQos {
  /** Bits a second. */
  readonly bandwidth: number | undefined;
  /** Bits. */
  readonly burst: number;
  /** Bits a second. */
  readonly peakrate: number | undefined;
  /** Bytes. */
  readonly minburst: number | undefined;
  readonly packetRate: number | undefined;
  readonly packetBurst: number;
  readonly maxConnections: number | undefined;
}

/** Anyone may have written the endpoint: what is no whole number above zero, or beyond what a kernel counts, is absent. */
export function directionQos(
  qosControls: Readonly<Record<string, unknown>>,
  direction: QosDirection,
): DirectionQos {
  const read = (name: QosControlName, most: number): number | undefined => {
    const value = qosControls[`${direction}${name}`];
    return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= most
      ? value
      : undefined;
  };
  return {
    bandwidth: read("Bandwidth", Number.MAX_SAFE_INTEGER),
    burst: read("Burst", Number.MAX_SAFE_INTEGER) ?? defaultBurst,
    peakrate: read("Peakrate", Number.MAX_SAFE_INTEGER),
    minburst: read("Minburst", Number.MAX_SAFE_INTEGER),
    packetRate: read("PacketRate", u32Max),
    packetBurst: read("PacketBurst", u32Max) ?? defaultPacketBurst,
    maxConnections: read("MaxConnections", u32Max),
  };
}

function readControl(
  direction: QosDirection,
  { name, least, most, needs, otherwise }: Control,
  annotations: ReadonlyMap<string, string>,
  found: Record<string, number | string>,
  problems: string[],
): void {
  const key = `${direction}${name}`;
  let annotation = `${annotationPrefix}${key}`;
  if (key === "ingressBandwidth" || key === "egressBandwidth") {
    if ((annotations.get(annotation) ?? "") === "") annotation = kubernetesNames[key];
  }
  const text = annotations.get(annotation) ?? "";
  const hasBase = needs === undefined || found[`${direction}${needs}`] !== undefined;
  if (text === "") {
    if (needs !== undefined && hasBase && otherwise !== undefined) found[key] = otherwise;
    return;
  }
  const value = parseQuantity(text);
  if (value === undefined) {
    problems.push(`${annotation} must be a quantity such as 10M: it is ${shown(text)}, and left out`);
    return;
  }
  if (!hasBase) {
    problems.push(
      `${annotation} says nothing without ${annotationPrefix}${direction}${needs}, and is left out`,
    );
    return;
  }
  found[key] = Math.min(Math.max(Math.trunc(value), least), most);
  if (value < least || value > most) {
    problems.push(
      `${annotation} must be ${least} to ${most}: it is ${shown(text)}, and ${found[key]} is taken`,
    );
  }
}

function checkPeak(direction: string, found: Record<string, number | string>, problems: string[]): void {
  const peak = found[`${direction}Peakrate`];
  const rate = found[`${direction}Bandwidth`];
  if (typeof peak !== "number" || typeof rate !== "number" || peak > rate) return;
  delete found[`${direction}Peakrate`];
  delete found[`${direction}Minburst`];
  problems.push(
    `${annotationPrefix}${direction}Peakrate ${peak} must be above the bandwidth ${rate}, and is left out`,
  );
}

function isDscp(text: string): boolean {
  return dscpNames.test(text) || (/^[0-9]{1,2}$/.test(text) && Number(text) <= 63);
}

/** What a line shows of a value. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
