import { IpAddress, Prefix } from "@caracal/net";
import { AsNumber } from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import { fields, type JsonObject, list, present, text, texts, unlessEmpty } from "../api/json-fields.ts";

/** A field of Calico's Node and the annotation of Kubernetes' node that it is kept in. */
interface FieldAnnotation {
  readonly annotation: string;
  readonly path: readonly [string, ...string[]];
  /** What is not well-formed is passed over, as Calico does. */
  readonly isWell: (value: string) => boolean;
}

const isMac = (value: string): boolean => /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value);
const isAddress =
  (family: 4 | 6) =>
  (value: string): boolean => {
    const address = IpAddress.parse(value);
    return address !== undefined && IpAddress.family(address) === family;
  };
const isNetwork =
  (family: 4 | 6) =>
  (value: string): boolean =>
    Prefix.parseInterface(value)?.network.family === family || isAddress(family)(value);

const fieldAnnotations: readonly FieldAnnotation[] = [
  { annotation: "IPv4Address", path: ["spec", "bgp", "ipv4Address"], isWell: isNetwork(4) },
  { annotation: "IPv6Address", path: ["spec", "bgp", "ipv6Address"], isWell: isNetwork(6) },
  {
    annotation: "RouteReflectorClusterID",
    path: ["spec", "bgp", "routeReflectorClusterID"],
    isWell: isAddress(4),
  },
  { annotation: "IPv4IPIPTunnelAddr", path: ["spec", "bgp", "ipv4IPIPTunnelAddr"], isWell: isAddress(4) },
  { annotation: "IPv4VXLANTunnelAddr", path: ["spec", "ipv4VXLANTunnelAddr"], isWell: isAddress(4) },
  { annotation: "VXLANTunnelMACAddr", path: ["spec", "vxlanTunnelMACAddr"], isWell: isMac },
  { annotation: "IPv6VXLANTunnelAddr", path: ["spec", "ipv6VXLANTunnelAddr"], isWell: isAddress(6) },
  { annotation: "VXLANTunnelMACAddrV6", path: ["spec", "vxlanTunnelMACAddrV6"], isWell: isMac },
  {
    annotation: "IPv4WireguardInterfaceAddr",
    path: ["spec", "wireguard", "interfaceIPv4Address"],
    isWell: isAddress(4),
  },
  {
    annotation: "IPv6WireguardInterfaceAddr",
    path: ["spec", "wireguard", "interfaceIPv6Address"],
    isWell: isAddress(6),
  },
  { annotation: "WireguardPublicKey", path: ["status", "wireguardPublicKey"], isWell: () => true },
  { annotation: "WireguardPublicKeyV6", path: ["status", "wireguardPublicKeyV6"], isWell: () => true },
];

const prefix = "projectcalico.org/";
const asAnnotation = `${prefix}ASNumber`;
const interfacesAnnotation = `${prefix}Interfaces`;
const labelsAnnotation = `${prefix}labels`;
const annotationsAnnotation = `${prefix}annotations`;
/** Only in Calico's view: which of the labels are Kubernetes'. */
const kubeLabelsAnnotation = `${prefix}kube-labels`;

/** Calico's view of a node of Kubernetes, without kind and version. */
export function calicoNode(object: ApiObject): JsonObject {
  const { name, uid, metadata, document } = object;
  const annotations = texts(metadata["annotations"]);
  const labels = texts(metadata["labels"]);
  const view: Record<string, Record<string, unknown>> = { spec: {}, status: {} };
  for (const { annotation, path, isWell } of fieldAnnotations) {
    const value = annotations[prefix + annotation] ?? "";
    if (value !== "" && isWell(value)) setAt(view, path, value);
  }
  const asNumber = AsNumber.parse(annotations[asAnnotation] ?? "");
  if (asNumber !== undefined) setAt(view, ["spec", "bgp", "asNumber"], asNumber);
  const { podCIDRs } = fields(document["spec"]);
  return present({
    metadata: present({
      name,
      uid,
      creationTimestamp: metadata["creationTimestamp"],
      labels: unlessEmpty({ ...mapIn(annotations[labelsAnnotation]), ...labels }),
      annotations: {
        ...mapIn(annotations[annotationsAnnotation]),
        [kubeLabelsAnnotation]: JSON.stringify(labels),
      },
    }),
    spec: present({
      ...view["spec"],
      orchRefs: [{ nodeName: name, orchestrator: "k8s" }],
      addresses: addressesOf(fields(fields(view["spec"])["bgp"]), document),
      interfaces: interfacesIn(annotations[interfacesAnnotation]),
    }),
    status: unlessEmpty(
      present({ ...view["status"], podCIDRs: Array.isArray(podCIDRs) ? podCIDRs : undefined }),
    ),
  });
}

/** The annotations of Kubernetes' node when Calico's is written: a field that is not there takes its annotation away. */
export function nodeAnnotations(current: ApiObject, node: JsonObject): Readonly<Record<string, string>> {
  const written: Record<string, string> = { ...texts(current.metadata["annotations"]) };
  const put = (name: string, value: string | undefined): void => {
    if (value === undefined) delete written[name];
    else written[name] = value;
  };
  for (const { annotation, path } of fieldAnnotations) put(prefix + annotation, text(valueAt(node, path)));
  const asNumber = valueAt(node, ["spec", "bgp", "asNumber"]);
  put(asAnnotation, typeof asNumber === "number" ? String(asNumber) : text(asNumber));
  const interfaces = list(valueAt(node, ["spec", "interfaces"]));
  put(interfacesAnnotation, interfaces.length === 0 ? undefined : JSON.stringify(interfaces));
  const { labels, annotations } = fields(node["metadata"]);
  const { [kubeLabelsAnnotation]: kubeLabels, ...own } = texts(annotations);
  // Kubernetes' labels, as the writer saw them and as they are, are not Calico's to keep.
  const inherited = [mapIn(kubeLabels), texts(current.metadata["labels"])];
  const ownLabels = Object.entries(texts(labels)).filter(
    ([name, value]) => !inherited.some((map) => map[name] === value),
  );
  put(labelsAnnotation, ownLabels.length === 0 ? undefined : JSON.stringify(Object.fromEntries(ownLabels)));
  put(annotationsAnnotation, Object.keys(own).length === 0 ? undefined : JSON.stringify(own));
  return written;
}

function addressesOf(bgp: JsonObject, document: JsonObject): readonly object[] | undefined {
  const own = [bgp["ipv4Address"], bgp["ipv6Address"]].flatMap((address) =>
    address === undefined ? [] : [{ address, type: "CalicoNodeIP" }],
  );
  const others = list(fields(document["status"])["addresses"]).flatMap((one) => {
    const { address, type } = fields(one);
    return type === "InternalIP" || type === "ExternalIP" ? [{ address, type }] : [];
  });
  return own.length + others.length === 0 ? undefined : [...own, ...others];
}

function interfacesIn(json: string | undefined): readonly unknown[] | undefined {
  const found = json === undefined ? [] : list(parsed(json));
  return found.length === 0 ? undefined : found;
}

function mapIn(json: string | undefined): Readonly<Record<string, string>> {
  return json === undefined ? {} : texts(parsed(json));
}

function parsed(json: string): unknown {
  try {
    const value: unknown = JSON.parse(json);
    return value;
  } catch {
    return undefined;
  }
}

function setAt(target: Record<string, unknown>, [name, ...rest]: readonly string[], value: unknown): void {
  if (name === undefined) return;
  const [next] = rest;
  if (next === undefined) {
    target[name] = value;
    return;
  }
  const inner: Record<string, unknown> = { ...fields(target[name]) };
  setAt(inner, rest, value);
  target[name] = inner;
}

function valueAt(source: unknown, path: readonly string[]): unknown {
  return path.reduce((value, name) => fields(value)[name], source);
}
