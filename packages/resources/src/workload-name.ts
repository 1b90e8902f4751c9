const defaultInterfacePrefix = "cali";
const hashDigits = 11;
/** IFNAMSIZ less the closing NUL. */
const interfaceNameCharactersMax = 15;

/** What a workload endpoint's name is made of. */
export interface WorkloadIdentity {
  readonly node?: string;
  readonly orchestrator?: string;
  /** Kubernetes pod. */
  readonly pod?: string;
  /** Container, for plain CNI. */
  readonly containerID?: string;
  /** Workload of any other orchestrator. */
  readonly workload?: string;
  readonly endpoint?: string;
}

/** The name, such as `worker--1-k8s-nginx--abc-eth0`, or `undefined` when a part is missing or malformed. */
export function workloadEndpointName(identity: WorkloadIdentity): string | undefined {
  const segments = segmentsOf(identity).map(escapeSegment);
  return segments.includes(undefined) ? undefined : segments.join("-");
}

/**
 * The start of the names of all endpoints that share the leading parts given, such as `worker--1-`. Other nodes' names
 * can start alike, so a caller checks `spec` as well.
 */
export function workloadEndpointNamePrefix(identity: WorkloadIdentity): string {
  const segments = segmentsOf(identity).map(escapeSegment);
  const missing = segments.indexOf(undefined);
  if (missing < 0) return segments.join("-");
  return segments
    .slice(0, missing)
    .map((segment) => `${segment}-`)
    .join("");
}

/** The parts of a name, or `undefined` when it has not four of them. */
export function parseWorkloadEndpointName(
  name: string,
): Required<Pick<WorkloadIdentity, "node" | "orchestrator" | "workload" | "endpoint">> | undefined {
  const segments = splitSegments(name);
  const [node, orchestrator, workload, endpoint] = segments;
  if (segments.length !== 4 || segments.includes("")) return undefined;
  if (node === undefined || orchestrator === undefined || workload === undefined || endpoint === undefined)
    return undefined;
  return { node, orchestrator, workload, endpoint };
}

/** The text whose SHA-1 in hexadecimal gives a pod's host interface its name. */
export function hostInterfaceHashInput(namespace: string, pod: string): string {
  return `${namespace}.${pod}`;
}

/** `cali` and the first 11 digits of the SHA-1 of `hostInterfaceHashInput`: 15 characters, all that Linux takes. */
export function hostInterfaceName(sha1Hex: string, prefix: string = defaultInterfacePrefix): string {
  return `${prefix}${sha1Hex.slice(0, hashDigits)}`.slice(0, interfaceNameCharactersMax);
}

/** What pods' host interfaces are called by the setting `InterfacePrefix`, a list: its first entry counts, and `cali` without one. */
export function podInterfacePrefix(setting: string | undefined): string {
  return setting?.split(",")[0]?.trim() || defaultInterfacePrefix;
}

/** Profile of a Kubernetes namespace. */
export function namespaceProfile(namespace: string): string {
  return `kns.${namespace}`;
}

/** Profile of a Kubernetes service account. */
export function serviceAccountProfile(namespace: string, account: string): string {
  return `ksa.${namespace}.${account}`;
}

function segmentsOf(identity: WorkloadIdentity): readonly (string | undefined)[] {
  const { node, orchestrator, endpoint } = identity;
  return [node, orchestrator, workloadOf(identity), endpoint];
}

function workloadOf(identity: WorkloadIdentity): string | undefined {
  switch (identity.orchestrator) {
    case "k8s":
      return identity.pod;
    case "cni":
      return identity.containerID;
    case "libnetwork":
      return "libnetwork";
    default:
      return identity.workload;
  }
}

/** Dashes are doubled; a segment that is empty or has a dash at an end would not be read back. */
function escapeSegment(segment: string | undefined): string | undefined {
  if (segment === undefined || segment === "" || segment.startsWith("-") || segment.endsWith("-"))
    return undefined;
  return segment.replaceAll("-", "--");
}

/** A lone dash ends a segment, a double one is an escaped dash. */
function splitSegments(name: string): readonly string[] {
  const segments: string[] = [];
  let segment = "";
  for (let index = 0; index < name.length; index++) {
    const character = name[index] ?? "";
    if (character !== "-") segment += character;
    else if (name[index + 1] === "-") {
      segment += "-";
      index++;
    } else {
      segments.push(segment);
      segment = "";
    }
  }
  return [...segments, segment];
}
