/**
 * Aim: a stock BIRD 1.6 takes the files as its configuration, whatever they are made from.
 * Method: `bird -p` and `bird6 -p` on the files of several clusters.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { NodeIntent } from "@caracal/intent";
import { birdPrograms, requireBird1, runAnyway } from "@caracal/testbed";
import { birdFileNames, birdFiles } from "../src/index.ts";
import { configuration, everything, intentOf, node, peer, pool, stock } from "./scenario.ts";

const programs = (["1.6", "1.6 for IPv6"] as const).map((edition) => birdPrograms(edition).daemon);
const skip = requireBird1();

async function checkAccepted(t: TestContext, intent: NodeIntent): Promise<void> {
  const files = birdFiles(intent, stock);
  assert.ok(files !== undefined);
  const directory = mkdtempSync(join(tmpdir(), "caracal-confd-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of birdFileNames) writeFileSync(join(directory, name), files[name]);
  for (const [index, name] of (["bird.cfg", "bird6.cfg"] as const).entries()) {
    const { exitCode, stdout, stderr } = await runAnyway([
      programs[index] ?? "",
      "-p",
      "-c",
      join(directory, name),
    ]);
    assert.equal(exitCode, 0, `${stdout}${stderr}\n${files[name]}`);
  }
}

test("BIRD takes a configuration with every setting", { skip }, async (t) => {
  const blocks = ["10.244.1.0/26", "10.247.1.0/26", "10.244.9.9/32", "fd00:10:244::/122"];
  await checkAccepted(t, intentOf("n1", everything, blocks));
  await checkAccepted(t, intentOf("n2", everything));
  await checkAccepted(t, intentOf("n3", everything));
});

test("BIRD takes the smallest configuration, and that of a route reflector", { skip }, async (t) => {
  await checkAccepted(t, intentOf("a", { nodes: [node("a", { ipv4Address: "10.0.0.1/24" })] }));
  const reflectors = {
    nodes: [
      node("a", { ipv4Address: "10.0.0.1/24", routeReflectorClusterID: "1.0.0.1" }),
      node("b", { ipv4Address: "10.0.0.2/24" }),
    ],
    pools: [pool("p", "10.244.0.0/16")],
    bgpConfigurations: [configuration("default", { nodeToNodeMeshEnabled: false, listenPort: 1790 })],
    bgpPeers: [peer("all", { peerSelector: "all()" })],
  };
  await checkAccepted(t, intentOf("a", reflectors));
  await checkAccepted(t, intentOf("b", reflectors, ["10.244.0.0/26"]));
});
