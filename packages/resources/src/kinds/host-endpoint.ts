import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { checkNames } from "../name-fields.ts";
import { problem, type Problem } from "../problem.ts";
import { protocol, resourceSchema, setOf, text } from "../resource-schema.ts";

const hostEndpointSchema = resourceSchema(
  "HostEndpoint",
  Type.Object(
    {
      node: Type.Optional(Type.String({ description: "The host that it is on." })),
      interfaceName: Type.Optional(
        text("hostInterface", {
          description: "The interface; * for all that have no endpoint of their own.",
        }),
      ),
      expectedIPs: Type.Optional(
        setOf(text("ip"), { description: "Addresses that tell the interface where it is not named." }),
      ),
      profiles: Type.Optional(setOf(Type.String())),
      ports: Type.Optional(
        Type.Array(
          Type.Object({
            name: text("portName"),
            protocol: protocol(),
            port: Type.Integer({ minimum: 1, maximum: 65535 }),
          }),
        ),
      ),
    },
    { default: {} },
  ),
);

/** Interfaces of a host that policies apply to. */
export type HostEndpoint = Immutable<Static<typeof hostEndpointSchema>>;

export const hostEndpointKind: Kind<HostEndpoint> = defineKind({
  name: "HostEndpoint",
  plural: "hostendpoints",
  aliases: ["hostendpoint", "hostendpoints", "hep", "heps"],
  schema: hostEndpointSchema,
  check: checkEndpoint,
});

const protocolsWithPorts: readonly unknown[] = ["TCP", "UDP", "SCTP", 6, 17, 132];

function checkEndpoint({ spec }: HostEndpoint): readonly Problem[] {
  const problems = [...checkNames({ "spec.node": spec.node, "spec.profiles": spec.profiles })];
  if (spec.interfaceName === undefined && (spec.expectedIPs ?? []).length === 0) {
    const reason = "no interface or expected IPs have been specified";
    problems.push(problem("spec.interfaceName", undefined, reason, { field: "InterfaceName" }));
  }
  if (spec.node === undefined) {
    problems.push(problem("spec.node", undefined, "no node has been specified", { field: "Node" }));
  }
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if (protocolsWithPorts.includes(port.protocol)) continue;
    problems.push(
      problem(
        `spec.ports[${index}].protocol`,
        port.protocol,
        "EndpointPort protocol does not support ports.",
        { field: "EndpointPort.Protocol", allowed: "TCP, UDP, SCTP" },
      ),
    );
  }
  return problems;
}
