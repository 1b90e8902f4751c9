/**
 * Aim: a bed wires what it promises and leaves nothing behind, however its process ends.
 * Method: real namespaces; for the ends, a process of its own that makes a bed and is then signalled.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { eventually, Program, requireRoot, requireTool, run, Testbed } from "../src/index.ts";

const skip = requireRoot() || requireTool("ip", "nsenter", "setpriv", "ping");

test("two namespaces on a wire ping each other", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const [a, b] = [await bed.namespace("a"), await bed.namespace("b")];
  await bed.wire(
    { namespace: a, name: "eth0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
    { namespace: b, name: "eth0", addresses: ["10.0.0.2/24", "fd00::2/64"], mac: "02:00:00:00:00:02" },
  );
  await a.run(["ping", "-c1", "-W2", "10.0.0.2"]);
  await a.run(["ping", "-c1", "-W2", "fd00::2"]);
  assert.match(await a.ip("neighbour", "show", "10.0.0.2"), /02:00:00:00:00:02/);
});

test("every end of a network reaches every other", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const hosts = await Promise.all(["a", "b", "c"].map((label) => bed.namespace(label)));
  const ends = hosts.map((namespace, index) => {
    return { namespace, name: "eth0", addresses: [`10.0.0.${index + 1}/24`] as const };
  });
  await bed.network("switch", ends);
  for (const host of hosts) {
    for (const index of hosts.keys()) await host.run(["ping", "-c1", "-W2", `10.0.0.${index + 1}`]);
  }
});

test(
  "a bed ends its programs, even stubborn ones, and removes namespaces and directories",
  { skip },
  async () => {
    const bed = Testbed.create();
    const namespace = await bed.namespace("a");
    const directory = bed.directory();
    const program = await namespace.start([
      "sh",
      "-c",
      "trap '' TERM; echo ready; while :; do sleep 1; done",
    ]);
    await program.waitForOutput(/ready/);
    const stopped = program.stop(10);
    await bed.close();
    assert.equal((await stopped).signal, "SIGKILL");
    assert.equal(existsSync(namespace.path), false);
    assert.equal(existsSync(directory), false);
  },
);

test("a program that ends early fails the wait for its output, with what it said", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const program = await bed.start(["sh", "-c", "echo sorry; exit 3"]);
  await assert.rejects(program.waitForOutput(/ready/), /ended without \/ready\/:\nsorry/);
});

const CHILD = `
import { Testbed } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
const bed = Testbed.create();
const namespace = await bed.namespace("a");
const program = await namespace.start(["sleep", "1000"]);
console.log("made", bed.prefix, program.pid);
setInterval(() => {}, 1000);
`;

async function startChild(): Promise<{ child: Program; prefix: string; pid: number }> {
  const child = await Program.start([process.execPath, "--input-type=module-typescript", "-e", CHILD]);
  const [, prefix = "", pid] = await child.waitForOutput(/made (\S+) ([0-9]+)/);
  return { child, prefix, pid: Number(pid) };
}

test("an interrupted process removes its beds", { skip }, async () => {
  const { child, prefix, pid } = await startChild();
  process.kill(child.pid, "SIGINT");
  assert.equal((await child.exited).code, 130);
  assert.deepEqual(leftovers(prefix), []);
  await eventually(() => !existsSync(`/proc/${pid}`), { what: "the end of the started program" });
});

test(
  "a killed process's programs die with it, and the next bed removes its namespaces",
  { skip },
  async (t) => {
    const { child, prefix, pid } = await startChild();
    process.kill(child.pid, "SIGKILL");
    await child.exited;
    await eventually(() => !existsSync(`/proc/${pid}`), { what: "the end of the started program" });
    Testbed.create(t);
    assert.deepEqual(leftovers(prefix), []);
  },
);

test("a bed leaves the machine's own links alone", { skip }, async () => {
  const before = (await run(["ip", "-o", "link"])).stdout;
  const bed = Testbed.create();
  const a = await bed.namespace("a");
  await bed.network("switch", [{ namespace: a, name: "eth0" }]);
  assert.equal((await run(["ip", "-o", "link"])).stdout, before);
  await bed.close();
});

function leftovers(prefix: string): readonly string[] {
  return readdirSync("/run/netns").filter((name) => name.startsWith(prefix));
}
