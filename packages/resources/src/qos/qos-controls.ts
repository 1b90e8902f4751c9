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

interface Control {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** The control without which this one says nothing. */
  readonly needs?: string;
  /** In force when what it belongs to is given and it is not. */
  readonly otherwise?: number;
}

/** Source: fact sheet on CNI, "Bandwidth". In the order in which they need each other. */
const controls: readonly Control[] = [
  { name: "Bandwidth", least: 1e3, most: 1e15 },
  { name: "Burst", least: 1e3, most: 34_359_738_360, needs: "Bandwidth", otherwise: 4 * 2 ** 30 },
  { name: "Peakrate", least: 1.01e3, most: 1.01e15, needs: "Bandwidth" },
  { name: "Minburst", least: 1e3, most: 1e8, needs: "Peakrate" },
  { name: "PacketRate", least: 1, most: 1e4 },
  { name: "PacketBurst", least: 1, most: 1e4, needs: "PacketRate", otherwise: 5 },
  { name: "MaxConnections", least: 1, most: 4_294_967_295 },
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

function readControl(
  direction: "ingress" | "egress",
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
