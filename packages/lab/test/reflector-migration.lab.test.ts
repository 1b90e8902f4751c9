/**
 * Aim: a running cluster goes from the full mesh to route reflectors, and back, and loses not one ping.
 * Method: the route-reflector topology begun with the mesh; pings between all nodes while `calicoctl` changes one thing after
 * another, each only when sessions say that the last has come into force; at the end the topology's own checks.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, run, Testbed } from "@caracal/testbed";
import { checkLab, findTopology, openLab, placeOf } from "../src/index.ts";
import { readNodeReport } from "../src/node-report.ts";
import { pingAcrossNodes } from "./continuous-ping.ts";
import { labContext, labScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const reflectors = ["minikube-m03", "minikube-m04"];

const configuration = (isMeshOn: boolean): string => `
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: { name: default }
spec: { logSeverityScreen: Info, nodeToNodeMeshEnabled: ${isMeshOn}, asNumber: 63400 }
`;

const peer = `
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: node-rr }
spec: { nodeSelector: all(), peerSelector: route-reflector == 'true' }
`;

test("from mesh to reflectors and back, not one ping is lost", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const name = scope.newName();
  const file = join(Testbed.create(t).directory("mesh"), "mesh.yaml");
  const target = findTopology("route-reflector");
  const { text } = target.source;
  const inMesh = text.slice(0, text.indexOf("\nresources:"));
  writeFileSync(
    file,
    `${inMesh}\nresources:\n  - ${configuration(true).trim().replaceAll("\n", "\n    ")}\n`,
  );
  const { exitCode, stderr } = await scope.lab(["up", file, "--name", name]);
  assert.equal(exitCode, 0, stderr);

  const open = openLab(name, labContext());
  const { lab } = open;
  const { env } = placeOf(open, "minikube", labContext());
  const texts = Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
  const variables: Record<string, string> = Object.fromEntries(texts);
  const calicoctl = async (words: readonly string[], input = ""): Promise<void> => {
    await run([`${REPOSITORY}bin/calicoctl`, ...words], { env: variables, input });
  };
  /** Until every node has exactly as many sessions of each type, all Established. */
  const sessions = async (
    what: string,
    countOf: (node: string) => Readonly<Record<string, number>>,
  ): Promise<void> => {
    await eventually(
      async () => {
        for (const node of lab.nodes()) {
          const found: Record<string, number> = {};
          for (const { type, state } of (await readNodeReport(lab, node.name))?.sessions ?? []) {
            assert.equal(state, "Established", `${node.name}: ${type}`);
            found[type] = (found[type] ?? 0) + 1;
          }
          assert.deepEqual(found, countOf(node.name), node.name);
        }
        return true;
      },
      { what },
    );
  };
  const isReflector = (node: string): boolean => reflectors.includes(node);
  const patch = (cluster: string | null): Promise<unknown> =>
    Promise.all(
      reflectors.map((node) =>
        calicoctl([
          "patch",
          "node",
          node,
          "-p",
          JSON.stringify({ spec: { bgp: { routeReflectorClusterID: cluster } } }),
        ]),
      ),
    );

  const pings = pingAcrossNodes(lab);
  let ends;
  try {
    await eventually(() => pings.every((one) => one.answeredCount > 0));
    // To reflectors: the sessions with them first, then reflection, and only then the end of the mesh.
    for (const node of reflectors) await calicoctl(["label", "nodes", node, "route-reflector=true"]);
    await calicoctl(["apply", "-f", "-"], peer);
    const both = (node: string): Readonly<Record<string, number>> =>
      isReflector(node) ? { "node specific": 3 } : { "node specific": 2, "node-to-node mesh": 1 };
    // Between two nodes the mesh's session goes on while there is one.
    await sessions("the mesh as it was", () => ({ "node-to-node mesh": 3 }));
    await patch("1.0.0.1");
    await sessions("sessions with the reflectors", both);
    await calicoctl(["apply", "-f", "-"], configuration(false));
    await sessions("the end of the mesh", (node) => ({ "node specific": isReflector(node) ? 3 : 2 }));
    const report = await checkLab({ ...open, topology: target }, labContext());
    assert.deepEqual(report.differences, []);
    // And back, in the opposite order.
    await calicoctl(["apply", "-f", "-"], configuration(true));
    await sessions("the mesh again", both);
    await patch(null);
    await sessions("the full mesh", () => ({ "node-to-node mesh": 3 }));
    await calicoctl(["delete", "bgppeer", "node-rr"]);
    await sessions("the full mesh", () => ({ "node-to-node mesh": 3 }));
    // What a late deletion of routes would break shows only now.
    const before = pings.map((one) => one.answeredCount);
    await eventually(() => pings.every((one, index) => one.answeredCount > (before[index] ?? 0) + 20));
  } finally {
    ends = await Promise.all(pings.map(async (one) => ({ ping: one.title, ...(await one.stop()) })));
  }
  assert.deepEqual(
    ends.filter(({ sent, lost }) => sent === 0 || lost.length > 0),
    [],
  );
});
