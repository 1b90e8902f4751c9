import { createHash } from "node:crypto";
import {
  apiVersion,
  hostInterfaceHashInput,
  hostInterfaceName,
  podInterfacePrefix,
  namespaceProfile,
  readQosControls,
  serviceAccountProfile,
  workloadEndpointName,
} from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import { fields, type JsonObject, list, present, text, texts } from "../api/json-fields.ts";

/** What the CNI plugin leaves on a pod, before the kubelet tells the pod's status. */
export const podAnnotations = {
  address: "cni.projectcalico.org/podIP",
  addresses: "cni.projectcalico.org/podIPs",
  containerId: "cni.projectcalico.org/containerID",
} as const;

/** Kubernetes' bound for the value of a label. */
const maxLabelLength = 63;
/** Calico knows one interface of a pod. */
const endpointName = "eth0";

/** The WorkloadEndpoint of a pod; undefined for one that has no network of its own or no node yet. */
export function podEndpoint(object: ApiObject): JsonObject | undefined {
  const { metadata, document, name: pod, namespace, uid } = object;
  const spec = fields(document["spec"]);
  const node = text(spec["nodeName"]);
  if (node === undefined || namespace === undefined || spec["hostNetwork"] === true) return undefined;
  const name = workloadEndpointName({ node, orchestrator: "k8s", pod, endpoint: endpointName });
  if (name === undefined) return undefined;
  const annotations = texts(metadata["annotations"]);
  const account = text(spec["serviceAccountName"]);
  const profiles = [
    namespaceProfile(namespace),
    ...(account === undefined ? [] : [serviceAccountProfile(namespace, account)]),
  ];
  const networks = addressesOf(object, annotations);
  const hash = createHash("sha1").update(hostInterfaceHashInput(namespace, pod)).digest("hex");
  return {
    kind: "WorkloadEndpoint",
    apiVersion,
    metadata: present({
      name,
      namespace,
      uid,
      creationTimestamp: metadata["creationTimestamp"],
      generateName: text(metadata["generateName"]),
      labels: {
        ...texts(metadata["labels"]),
        "projectcalico.org/namespace": namespace,
        "projectcalico.org/orchestrator": "k8s",
        ...(account === undefined || account.length >= maxLabelLength
          ? {}
          : { "projectcalico.org/serviceaccount": account }),
      },
    }),
    spec: present({
      orchestrator: "k8s",
      node,
      containerID: text(annotations[podAnnotations.containerId]),
      pod,
      endpoint: endpointName,
      serviceAccountName: account,
      ipNetworks: networks,
      ipNATs: nats(annotations["cni.projectcalico.org/floatingIPs"], networks),
      profiles,
      interfaceName: hostInterfaceName(hash, podInterfacePrefix(process.env["FELIX_INTERFACEPREFIX"])),
      ports: portsOf(spec),
      qosControls: readQosControls(new Map(Object.entries(annotations))).controls,
      allowSpoofedSourcePrefixes: textList(annotations["cni.projectcalico.org/allowedSourcePrefixes"]),
    }),
  };
}

/** What the kubelet tells comes before what the CNI plugin left; a pod that has ended has none. */
function addressesOf(
  { metadata, document }: ApiObject,
  annotations: Readonly<Record<string, string>>,
): readonly string[] {
  const { phase, podIPs, podIP } = fields(document["status"]);
  const isDeleted = metadata["deletionTimestamp"] !== undefined && annotations[podAnnotations.address] === "";
  if (phase === "Failed" || phase === "Succeeded" || phase === "Completed" || isDeleted) return [];
  const candidates: readonly (readonly string[])[] = [
    list(podIPs).flatMap((one) => text(fields(one)["ip"]) ?? []),
    [text(podIP) ?? ""],
    (annotations[podAnnotations.addresses] ?? "").split(","),
    [annotations[podAnnotations.address] ?? ""],
    (annotations["vpc.amazonaws.com/pod-ips"] ?? "").split(","),
  ];
  const found = candidates.map((some) => some.map((one) => one.trim()).filter((one) => one !== ""));
  return (found.find((some) => some.length > 0) ?? []).map(hostNetwork);
}

function hostNetwork(address: string): string {
  if (address.includes("/")) return address;
  return `${address}/${address.includes(":") ? 128 : 32}`;
}

function nats(json: string | undefined, networks: readonly string[]): readonly object[] | undefined {
  const found = (textList(json) ?? []).flatMap((externalIP) => {
    const isSix = externalIP.includes(":");
    const internal = networks.find((network) => network.includes(":") === isSix);
    return internal === undefined ? [] : [{ internalIP: internal.split("/", 1)[0], externalIP }];
  });
  return found.length === 0 ? undefined : found;
}

/** Ports that policies can name, or that the host hands on. */
function portsOf(spec: JsonObject): readonly object[] | undefined {
  const containers = [...list(spec["containers"]), ...list(spec["initContainers"])];
  const ports = containers
    .flatMap((container) => list(fields(container)["ports"]))
    .map(fields)
    .filter(
      ({ name, hostPort }) => text(name) !== undefined || (typeof hostPort === "number" && hostPort > 0),
    )
    .map(({ name, protocol, containerPort, hostPort, hostIP }) =>
      present({
        name: text(name),
        protocol: text(protocol) ?? "TCP",
        port: containerPort,
        hostPort,
        hostIP: text(hostIP),
      }),
    );
  return ports.length === 0 ? undefined : ports;
}

function textList(json: string | undefined): readonly string[] | undefined {
  if (json === undefined || json === "") return undefined;
  try {
    const found = list(JSON.parse(json)).filter((one) => typeof one === "string");
    return found.length === 0 ? undefined : found;
  } catch {
    return undefined;
  }
}
