import { Prefix } from "@caracal/net";
import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind, type RawDocument } from "../kind.ts";
import { checkNames } from "../name-fields.ts";
import { problem, type Problem } from "../problem.ts";
import { choice, resourceSchema, text } from "../resource-schema.ts";
import { isRecord, type Reading } from "../schema-reader.ts";
import { workloadEndpointName } from "../workload-name.ts";

const protocolSchema = Type.Union([
  choice(["TCP", "UDP", "SCTP"]),
  Type.Integer({ minimum: 1, maximum: 255 }),
]);

const workloadEndpointSchema = resourceSchema(
  "WorkloadEndpoint",
  Type.Object(
    {
      orchestrator: Type.Optional(Type.String()),
      workload: Type.Optional(
        Type.String({ description: "Name of a workload that is not a Kubernetes pod." }),
      ),
      node: Type.Optional(Type.String()),
      containerID: Type.Optional(Type.String()),
      pod: Type.Optional(Type.String()),
      endpoint: Type.Optional(Type.String({ description: "Interface inside the workload, such as eth0." })),
      serviceAccountName: Type.Optional(Type.String()),
      ipNetworks: Type.Optional(Type.Array(text("ipOrCidr"))),
      ipNATs: Type.Optional(Type.Array(Type.Object({ internalIP: text("ip"), externalIP: text("ip") }))),
      ipv4Gateway: Type.Optional(text("ipv4")),
      ipv6Gateway: Type.Optional(text("ipv6")),
      profiles: Type.Optional(Type.Array(Type.String())),
      interfaceName: Type.Optional(
        text("interfaceName", { description: "The host's end, such as cali0123456789a." }),
      ),
      mac: Type.Optional(text("mac")),
      ports: Type.Optional(
        Type.Array(
          Type.Object({
            name: Type.Optional(text("portName")),
            protocol: protocolSchema,
            port: Type.Integer({ minimum: 1, maximum: 65535 }),
            hostPort: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 })),
            hostIP: Type.Optional(Type.String()),
          }),
        ),
      ),
      allowSpoofedSourcePrefixes: Type.Optional(Type.Array(text("ipOrCidr"))),
      qosControls: Type.Optional(Type.Map(Type.Unknown())),
    },
    { default: {} },
  ),
);

/** One interface of a workload: a pod's, usually. */
export type WorkloadEndpoint = Immutable<Static<typeof workloadEndpointSchema>>;

export const workloadEndpointKind: Kind<WorkloadEndpoint> = defineKind({
  name: "WorkloadEndpoint",
  plural: "workloadendpoints",
  aliases: ["workloadendpoint", "workloadendpoints", "wep", "weps"],
  isNamespaced: true,
  schema: workloadEndpointSchema,
  convert: fillName,
  completeWrite: (endpoint) => ({ ...endpoint, metadata: withIdentityLabels(endpoint) }),
  check: checkEndpoint,
});

/** An endpoint without a name is named after its node, orchestrator, workload and interface. */
function fillName(document: RawDocument): Reading<RawDocument> {
  const metadata = document.metadata ?? {};
  const { spec } = document;
  if (!isRecord(metadata) || !isRecord(spec) || (metadata.name !== undefined && metadata.name !== "")) {
    return { kind: "ok", value: document };
  }
  const { node, orchestrator, pod, workload, containerID, endpoint } = spec;
  const parts = { node, orchestrator, pod, workload, containerID, endpoint };
  const texts = Object.fromEntries(
    Object.entries(parts).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  const name = workloadEndpointName(texts);
  return {
    kind: "ok",
    value: name === undefined ? document : { ...document, metadata: { ...metadata, name } },
  };
}

/** Calico's client forces these, for policies to select by. */
function withIdentityLabels({ metadata, spec }: WorkloadEndpoint): WorkloadEndpoint["metadata"] {
  return {
    ...metadata,
    labels: {
      ...metadata.labels,
      "projectcalico.org/namespace": metadata.namespace ?? "",
      "projectcalico.org/orchestrator": spec.orchestrator ?? "",
    },
  };
}

function checkEndpoint(endpoint: WorkloadEndpoint): readonly Problem[] {
  const { spec, metadata } = endpoint;
  const problems = [...checkParts(spec)];
  const expected = workloadEndpointName(spec);
  if (expected === undefined) {
    const reason = "the node, orchestrator, workload and endpoint that make up the name must all be given";
    problems.push(problem("metadata.name", metadata.name, reason, { field: "Name" }));
  } else if (metadata.name !== expected) {
    const reason = "the WorkloadEndpoint name does not match the primary identifiers assigned in the Spec";
    problems.push(problem("metadata.name", metadata.name, reason, { field: "Name", allowed: expected }));
  }
  for (const [index, network] of (spec.ipNetworks ?? []).entries()) {
    const prefix = Prefix.parseInterface(network)?.network;
    if (prefix === undefined || Prefix.isHost(prefix)) continue;
    const reason = "IP network contains multiple addresses";
    problems.push(problem(`spec.ipNetworks[${index}]`, network, reason, { field: "IPNetworks" }));
  }
  return [...problems, ...checkNats(endpoint), ...checkPorts(endpoint)];
}

/** What the parts of an endpoint look like. */
function checkParts(spec: WorkloadEndpoint["spec"]): readonly Problem[] {
  const { orchestrator, workload, node, pod, endpoint, serviceAccountName, profiles } = spec;
  const names = { orchestrator, workload, node, pod, endpoint, serviceAccountName, profiles };
  const byPath = Object.fromEntries(Object.entries(names).map(([name, found]) => [`spec.${name}`, found]));
  const problems = [...checkNames(byPath)];
  if (spec.containerID !== undefined && !/^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(spec.containerID)) {
    const allowed = "letters, digits and '-' between them";
    problems.push(problem("spec.containerID", spec.containerID, "is not a container's ID", { allowed }));
  }
  if (spec.interfaceName === undefined) {
    problems.push(
      problem("spec.interfaceName", undefined, "no interface has been specified", { field: "InterfaceName" }),
    );
  }
  return problems;
}

function checkNats(endpoint: WorkloadEndpoint): readonly Problem[] {
  const networks = (endpoint.spec.ipNetworks ?? []).map((network) => Prefix.parseInterface(network)?.network);
  return (endpoint.spec.ipNATs ?? []).flatMap((nat, index) => {
    const internal = Prefix.parse(nat.internalIP);
    const external = Prefix.parse(nat.externalIP);
    const path = `spec.ipNATs[${index}]`;
    if (internal === undefined || external === undefined) return [];
    if (internal.family !== external.family) {
      return [
        problem(`${path}.externalIP`, nat.externalIP, "mismatched IP versions", { field: "ExternalIP" }),
      ];
    }
    if (networks.some((network) => network !== undefined && Prefix.covers(network, internal))) return [];
    const reason = "NAT is not in the endpoint networks";
    return [problem(`${path}.internalIP`, nat.internalIP, reason, { field: "IPNATs" })];
  });
}

function checkPorts(endpoint: WorkloadEndpoint): readonly Problem[] {
  return (endpoint.spec.ports ?? []).flatMap((port, index) => {
    const path = `spec.ports[${index}]`;
    const field = "WorkloadEndpointPort";
    if (typeof port.protocol === "number" && ![6, 17, 132].includes(port.protocol)) {
      const reason = "WorkloadEndpointPort protocol does not support ports.";
      return [
        problem(`${path}.protocol`, port.protocol, reason, {
          field: `${field}.Protocol`,
          allowed: "TCP, UDP, SCTP",
        }),
      ];
    }
    if (port.name !== undefined || (port.hostPort ?? 0) !== 0) return [];
    const reason = "WorkloadEndpointPort name must not be empty if no HostPort is specified";
    return [problem(`${path}.name`, undefined, reason, { field: `${field}.Name` })];
  });
}
