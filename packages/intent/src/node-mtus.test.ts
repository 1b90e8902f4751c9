/** Aim: a node's MTUs are Felix's, and nodes that differ are told of. Method: pools, settings and nodes by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpPool, Node } from "@caracal/resources";
import { formatMtuReport, mtuAnnotation, mtuProblems } from "./mtu-report.ts";
import { mtuFaults, nodeMtus } from "./node-mtus.ts";

function pool(cidr: string, more: Partial<IpPool["spec"]> = {}): IpPool {
  const spec = { cidr, allowedUses: [], nodeSelector: "all()", ...more };
  return { kind: "IPPool", apiVersion: "projectcalico.org/v3", metadata: { name: cidr }, spec };
}

const plain = pool("10.0.0.0/16");
const ipip = pool("10.1.0.0/16", { ipipMode: "CrossSubnet" });
const vxlan = pool("10.2.0.0/16", { vxlanMode: "Always" });
const vxlan6 = pool("fd00::/48", { vxlanMode: "CrossSubnet" });

test("each tunnel has the host's MTU less its overhead, or the setting's; pods the least of those in use", () => {
  for (const [pools, settings, mtus] of [
    [[], {}, { pod: 1500 }],
    [[plain], { vxlanMTU: 1200 }, { pod: 1500 }],
    [[plain, ipip], {}, { ipip: 1480, pod: 1480 }],
    [[ipip, vxlan], {}, { ipip: 1480, vxlan4: 1450, pod: 1450 }],
    [[vxlan, vxlan6, ipip], {}, { ipip: 1480, vxlan4: 1450, vxlan6: 1430, pod: 1430 }],
    [[vxlan6], {}, { vxlan6: 1430, pod: 1430 }],
    [[vxlan, vxlan6], { vxlanMTU: 1400, vxlanMTUV6: 1390 }, { vxlan4: 1400, vxlan6: 1390, pod: 1390 }],
    [[ipip], { ipipMTU: 1440 }, { ipip: 1440, pod: 1440 }],
    [[ipip], { ipipMTU: 0 }, { ipip: 1480, pod: 1480 }],
    [[ipip], { ipipEnabled: false }, { pod: 1500 }],
    [[plain], { vxlanEnabled: true }, { vxlan4: 1450, pod: 1450 }],
    [[vxlan, vxlan6], { vxlanEnabled: false }, { vxlan6: 1430, pod: 1430 }],
    [[pool("10.2.0.0/16", { vxlanMode: "Always", disabled: true })], {}, { vxlan4: 1450, pod: 1450 }],
  ] as const) {
    assert.deepEqual(nodeMtus(1500, pools, settings), { host: 1500, ...mtus });
  }
});

test("a setting that the interfaces cannot carry, and too little for IPv6, are told", () => {
  const faults = (host: number, pools: readonly IpPool[], settings = {}): readonly string[] =>
    mtuFaults(nodeMtus(host, pools, settings), pools);
  assert.deepEqual(faults(1500, [vxlan, vxlan6, ipip]), []);
  assert.deepEqual(faults(1500, [vxlan], { vxlanMTU: 1460 }), [
    "vxlanMTU is 1460, but the node's interfaces leave 1450: larger packets are cut up or lost",
  ]);
  assert.deepEqual(faults(1300, [vxlan6]), [
    "pods have an MTU of 1230, and IPv6 needs 1280: they have no IPv6",
  ]);
  assert.deepEqual(faults(1300, [vxlan]), []);
});

function node(
  name: string,
  mtus: { readonly host: number; readonly pod: number } | string | undefined,
): Node {
  const text = typeof mtus === "object" ? formatMtuReport(mtus) : mtus;
  const annotations = text === undefined ? {} : { annotations: { [mtuAnnotation]: text } };
  return { kind: "Node", apiVersion: "projectcalico.org/v3", metadata: { name, ...annotations }, spec: {} };
}

test("nodes whose pods have another MTU than most are told of in one line", () => {
  const usual = { host: 1500, pod: 1450 };
  const told = (nodes: readonly Node[]): readonly string[] =>
    mtuProblems(nodes).map(({ about, message }) => `${about} ${message}`);
  assert.deepEqual(told([node("a", usual), node("b", { host: 9000, pod: 1450 })]), []);
  // Calico's own daemons tell nothing, and what somebody wrote by hand is nothing.
  assert.deepEqual(told([node("a", usual), node("b", undefined), node("c", "1400")]), []);
  const cluster = [node("a", usual), node("b", usual), node("c", { host: 1400, pod: 1350 })];
  assert.deepEqual(told(cluster), [
    "Node(c) has an MTU of 1350 for pods (its interfaces: 1400), where 2 node(s) have 1450: larger packets to them are lost; give all nodes' interfaces one MTU, or set ipipMTU, vxlanMTU and vxlanMTUV6",
  ]);
  const some = ["f", "e", "d", "g"].map((name) => node(name, { host: 9000, pod: 8950 }));
  const [line = ""] = told([...["a", "b", "h", "i", "j"].map((name) => node(name, usual)), ...some]);
  assert.match(
    line,
    /^Node\(d\) \(with e, f, g\) has an MTU of 8950 .* their larger packets are lost elsewhere;/,
  );
});
