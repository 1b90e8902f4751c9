/**
 * Aim: `caracal bgp` ends sessions with what the operator has to say, and shows what the two ends of one agreed on. Method:
 * a control socket with known answers.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ControlError, type ControlMethod, ControlServer } from "@caracal/control";
import { run } from "../../test/test-context.ts";

const neighbor = {
  name: "core",
  address: "10.0.0.2",
  port: 179,
  asn: 65002,
  localAsn: 65001,
  type: "external",
  role: "customer",
  state: "Established",
  since: "2026-01-02T03:04:05.678Z",
  lastError: "",
  session: {
    routerId: "10.0.0.2",
    localAddress: "10.0.0.1",
    families: ["ipv4"],
    capabilities: ["refresh", "enhanced-refresh", "AS4", "ext-messages"],
    addPaths: "none",
    neighborRole: "provider",
    maxMessageBytes: 65_535,
    holdTimeMs: 90_000,
    keepaliveMs: 30_000,
    sendHoldTimeMs: 480_000,
  },
};

async function serve(t: TestContext, methods: Readonly<Record<string, ControlMethod>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "caracal-bgp-"));
  const server = await ControlServer.listen({ path: join(directory, "bgp.sock"), methods });
  t.after(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });
  return server.path;
}

test("a neighbor's session is shown with what was agreed on, by either name of the view", async (t) => {
  const asked: unknown[] = [];
  const path = await serve(t, {
    "bgp.neighbor": (params) => {
      asked.push(params);
      return neighbor;
    },
  });
  const { stdout } = await run(["bgp", "show", "neighbors", "core", "-s", path]);
  assert.equal((await run(["bgp", "show", "neighbor", "core", "-s", path])).stdout, stdout);
  assert.deepEqual(asked, [{ name: "core" }, { name: "core" }]);
  assert.match(stdout, /^Role: +customer; the neighbor says provider$/m);
  assert.match(stdout, /^Capabilities: +refresh enhanced-refresh AS4 ext-messages$/m);
  assert.match(stdout, /^Longest message: +65535 bytes$/m);
  assert.match(stdout, /^Hold time: +90000 ms, to send 480000 ms$/m);
  const json = await run(["bgp", "show", "neighbors", "core", "-o", "json", "-s", path]);
  assert.deepEqual(JSON.parse(json.stdout), neighbor);
});

test("reset names one neighbor, and may say why", async (t) => {
  const asked: unknown[] = [];
  const path = await serve(t, {
    "bgp.reset": (params) => {
      asked.push(params);
      if (JSON.stringify(params).includes("edge")) {
        throw new ControlError("not-found", 'there is no neighbor "edge"');
      }
      return { reset: "core" };
    },
  });
  const reset = (...words: string[]): ReturnType<typeof run> => run(["bgp", "reset", ...words, "-s", path]);
  assert.equal((await reset("core")).stdout, "core: session reset\n");
  await reset("core", "--message", "new filters");
  assert.deepEqual(await reset("edge"), {
    exitCode: 1,
    stdout: "",
    stderr: 'there is no neighbor "edge"\n',
  });
  assert.equal((await reset()).stderr, "bgp reset needs one NAME\n");
  assert.deepEqual(asked, [{ name: "core" }, { name: "core", message: "new filters" }, { name: "edge" }]);
});

test("shutdown may say why too, in at most 255 bytes", async (t) => {
  const asked: unknown[] = [];
  const path = await serve(t, {
    "bgp.shutdown": (params) => {
      asked.push(params);
      return { neighbors: 3 };
    },
  });
  const shutdown = (...words: string[]): ReturnType<typeof run> =>
    run(["bgp", "shutdown", ...words, "-s", path]);
  assert.equal((await shutdown("-m", "moving house")).stdout, "leaving; neighbors told: 3\n");
  assert.deepEqual(asked, [{ message: "moving house" }]);
  assert.equal(
    (await shutdown("-m", "ü".repeat(128))).stderr,
    "a message has at most 255 bytes, this one has 256\n",
  );
  assert.match((await shutdown("core")).stderr, /^bgp shutdown takes no operands/);
});

test("refresh tells in which families it asked, or why not", async (t) => {
  const path = await serve(t, {
    "bgp.refresh": (params) => {
      if (JSON.stringify(params) === '{"name":"core"}') return { families: ["ipv4", "ipv6"] };
      throw new ControlError("unsupported", "edge has no session");
    },
  });
  const refresh = (...words: string[]): ReturnType<typeof run> =>
    run(["bgp", "refresh", ...words, "-s", path]);
  assert.equal((await refresh("core")).stdout, "core: asked for ipv4 ipv6\n");
  assert.deepEqual(await refresh("edge"), { exitCode: 1, stdout: "", stderr: "edge has no session\n" });
  assert.equal((await refresh()).stderr, "bgp refresh needs one NAME\n");
});
