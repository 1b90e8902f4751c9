/**
 * Aim: `node status --all` and `--node` join what the nodes say with what the resources want, and say why a session is
 * down. Method: a store in memory with resources, and desks that answer for some of the nodes.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { AnswerDesk } from "@caracal/questions";
import { run } from "../../test/test-context.ts";

const resources = ["a", "b", "c"]
  .map(
    (name, index) =>
      `{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"${name}"},"spec":{"bgp":{"ipv4Address":"10.0.0.${index + 1}/24"}}}`,
  )
  .join("\n---\n");

async function cluster(t: TestContext, answering: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  const applied = await run("apply -f -", { store, stdin: resources });
  assert.equal(applied.stderr, "");
  const stop = new AbortController();
  const desks = answering.map((node) =>
    new AnswerDesk({
      store,
      node,
      sleep: async () => undefined,
      methods: { "node.status": () => statusOf(node) },
    }).run(stop.signal),
  );
  t.after(async () => {
    stop.abort();
    await Promise.all(desks);
  });
  return store;
}

function statusOf(node: string): unknown {
  const peers = [1, 2, 3].map((last) => ({
    name: `Mesh_10_0_0_${last}`,
    address: `10.0.0.${last}`,
    port: 179,
    asNumber: 64512,
    localAsNumber: 64512,
    state: last === 3 || node === "c" ? "Active" : "Established",
    sinceS: Date.parse("2024-01-08T03:00:00Z") / 1000,
    isPassive: false,
    lastError: last === 3 ? "Socket: Connection refused" : "",
    hasPassword: false,
    importedRoutes: 0,
    exportedRoutes: 0,
  }));
  const packets = { isInSync: true, repairs: 2, rules: [`IPv4 natOutgoing of ${node}`] };
  return { node, bgp: { peers, refused: [] }, kernel: {}, packets, problems: [] };
}

test("every session stands once in the table, and one that is down is explained", async (t) => {
  const store = await cluster(t, ["a", "b", "c"]);
  const { stdout, stderr, exitCode } = await run("node status --all", { store });
  assert.deepEqual({ stderr, exitCode }, { stderr: "", exitCode: 0 });
  const cells = stdout
    .split("\n")
    .filter((line) => line.startsWith("| a") || line.startsWith("| b"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.deepEqual(
    cells.map((row) => [row[1], row[3], row[6], row[8]]),
    [
      ["a", "b", "up", "Established"],
      ["a", "c", "start", "Active Socket: Connection refused"],
      ["b", "c", "start", "Active Socket: Connection refused"],
    ],
  );
  assert.match(stdout, /3 session\(s\), 2 not established/);
  assert.match(stdout, /a – c: refused: nobody listens for BGP on port 179 of c \(10\.0\.0\.3\)\n {2}fix: /);
});

test("a node that does not answer is named, and its sessions are still told of", async (t) => {
  const store = await cluster(t, ["a", "b"]);
  const { stdout, stderr } = await run("node status --node c -o json", { store });
  assert.equal(stderr, "");
  const answer: unknown = JSON.parse(stdout);
  assert.ok(typeof answer === "object" && answer !== null);
  assert.deepEqual(Reflect.get(answer, "silent"), ["c"]);
  const sessions: unknown = Reflect.get(answer, "sessions");
  assert.ok(Array.isArray(sessions));
  assert.deepEqual(
    sessions.map((session: { reason: string }) => session.reason),
    ["the daemon of c does not answer", "the daemon of c does not answer"],
  );
});

test("one node's status shows what it does to packets", async (t) => {
  const store = await cluster(t, ["a", "b"]);
  const { stdout } = await run("node status --node a", { store });
  assert.match(stdout, /\nnftables: in sync, put right 2 time\(s\)\n {2}IPv4 natOutgoing of a\n$/);
  const all = await run("node status --all", { store });
  assert.doesNotMatch(all.stdout, /nftables/);
});

test("a node that does not exist, and options that do not go together, are refused", async (t) => {
  const store = await cluster(t, []);
  assert.equal((await run("node status --node d", { store })).stderr, "there is no node d\n");
  assert.match((await run("node status --all -o yaml", { store })).stderr, /unknown output format: yaml/);
  assert.match((await run("node status -o json", { store })).stderr, /--output needs --all or --node/);
});

test("a resource that cannot be read is told of, also where no daemon answers", async (t) => {
  const store = await cluster(t, []);
  await store.create(keys.resource("bgppeers", "torn"), "{");
  const { stderr, exitCode } = await run("node status --all", { store });
  assert.equal(exitCode, 0);
  assert.match(stderr, /^BGPPeer\(torn\) cannot be read and is left out: [^\n]+$/m);
});
