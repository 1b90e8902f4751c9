import { isRecord } from "../schema-reader.ts";

/** What routing needs of a Kubernetes Service (core/v1). */
export interface KubernetesService {
  readonly namespace: string;
  readonly name: string;
  /** `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`. */
  readonly type: string;
  /** Empty for a headless service. */
  readonly clusterIps: readonly string[];
  readonly externalIps: readonly string[];
  /** What the load balancer was given; host names are left out. */
  readonly loadBalancerIps: readonly string[];
  /** Whether any node takes the service's traffic in, or only those with an endpoint of it. */
  readonly externalTrafficPolicy: "Cluster" | "Local";
}

/** Reads a Service document; `undefined` for anything else. What it says of no concern here is passed over. */
export function readKubernetesService(document: unknown): KubernetesService | undefined {
  const { metadata, spec, status } = fields(document);
  const { name, namespace } = fields(metadata);
  const { type, clusterIP, clusterIPs, externalIPs, externalTrafficPolicy } = fields(spec);
  if (typeof name !== "string" || typeof namespace !== "string" || !isRecord(spec)) return undefined;
  const own = texts(clusterIPs).length === 0 ? texts([clusterIP]) : texts(clusterIPs);
  const { ingress } = fields(fields(status)["loadBalancer"]);
  return {
    namespace,
    name,
    type: typeof type === "string" ? type : "ClusterIP",
    clusterIps: own.filter((address) => address !== "None"),
    externalIps: texts(externalIPs),
    loadBalancerIps: texts(list(ingress).map((entry) => fields(entry)["ip"])),
    externalTrafficPolicy: externalTrafficPolicy === "Local" ? "Local" : "Cluster",
  };
}

/** The members of a mapping; none for anything else. */
export function fields(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function texts(value: unknown): readonly string[] {
  return list(value).filter((one): one is string => typeof one === "string" && one !== "");
}
