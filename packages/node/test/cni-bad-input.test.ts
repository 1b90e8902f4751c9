/**
 * Aim: bad input and bad moments end in one clear, bounded CNI error and leave nothing: oversized and hostile configurations, a
 * namespace or a datastore that goes away between any two steps.
 * Method: calls to an engine over fakes, with the world changed before each step in turn.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addSteps } from "../src/cni/add-pod.ts";
import type { CniCall } from "../src/cni/cni-call.ts";
import { deleteSteps } from "../src/cni/delete-pod.ts";
import { netconf, podCall, result } from "./cni-suite.ts";
import { fakeCniNode, netns } from "./fake-cni-node.ts";

/** What a plugin accepts on stdin. */
const inputCharactersMax = 1 << 20;
/** What a runtime's log can bear. */
const answerCharactersMax = 16_384;

const nothing = { kernel: [], allocations: [], endpoints: [] };

async function refuses(change: Partial<CniCall>, config: object = {}): Promise<number> {
  const { node } = fakeCniNode();
  const answer = await node.engine().answer(podCall(netns, change, config));
  assert.equal(answer.exitCode, 1, answer.stdout);
  assert.ok(
    answer.stdout.length + (answer.stderr ?? "").length <= answerCharactersMax,
    `${answer.stdout.length}`,
  );
  const { cniVersion, code, msg } = JSON.parse(answer.stdout);
  assert.equal(typeof cniVersion, "string");
  assert.equal(typeof msg, "string");
  assert.deepEqual(await node.state(), nothing);
  return code;
}

describe("a megabyte of input is one bounded error", () => {
  const long = "x".repeat(inputCharactersMax - 1_000);
  const annotated = (name: string, value: string): object => ({
    runtimeConfig: { "io.kubernetes.cri.pod-annotations": { [`cni.projectcalico.org/${name}`]: value } },
    feature_control: { ip_addrs_no_ipam: true, floating_ips: true },
  });
  const addresses = JSON.stringify(Array.from({ length: 60_000 }, (_, index) => `10.${index >> 8}.1.1`));
  const cases: readonly (readonly [string, Partial<CniCall>, object, number])[] = [
    ["no JSON", { stdin: long }, {}, 6],
    ["brackets without end", { stdin: "[".repeat(inputCharactersMax) }, {}, 6],
    ["a text without end", { stdin: `{"name":"${long}` }, {}, 6],
    ["nested objects", { stdin: `${'{"ipam":'.repeat(100_000)}1${"}".repeat(100_000)}` }, {}, 6],
    [
      "a deep result of other plugins",
      {
        stdin: `${JSON.stringify(netconf).slice(0, -1)},"prevResult":{"dns":${'{"a":'.repeat(101)}1${"}".repeat(103)}`,
      },
      {},
      6,
    ],
    ["a version", {}, { cniVersion: long }, 1],
    ["a network name", {}, { name: long }, 7],
    ["an IPAM type", {}, { ipam: { type: long } }, 7],
    ["an MTU", {}, { mtu: long }, 7],
    ["an annotation that is no list", {}, annotated("ipAddrs", long), 7],
    ["an annotation with many addresses", {}, annotated("ipAddrsNoIpam", addresses), 7],
    ["an annotation's MAC", {}, annotated("hwAddr", long), 7],
    ["runtime configuration that is no object", {}, { runtimeConfig: long }, 7],
    ["a command", { command: long }, {}, 4],
    ["a container", { containerId: long }, {}, 4],
    ["an interface", { ifname: long }, {}, 4],
    ["arguments", { args: long }, {}, 4],
    ["a pod", { args: `K8S_POD_NAMESPACE=a;K8S_POD_NAME=${long}` }, {}, 4],
    ["a namespace's path", { netns: `/${long}` }, {}, 4],
    ["a requested address", { args: `IP=${long}` }, {}, 4],
  ];
  for (const [name, change, config, code] of cases) {
    it(`${name}: code ${code}`, async () => assert.equal(await refuses(change, config), code));
  }

  it("and a valid one with much that is not needed is served", async () => {
    const { node } = fakeCniNode();
    result(await node.engine().answer(podCall(netns, {}, { comment: long, log_level: "info" })));
  });
});

describe("hostile names", () => {
  it("members of Object.prototype are no configuration", async () => {
    const stdin = `{"__proto__":${JSON.stringify(netconf)},"cniVersion":"1.0.0"}`;
    assert.equal(await refuses({ stdin }), 7);
  });

  for (const version of ["1.2.0", "2.0.0", "0.0.1", "1.0", "latest", " 1.0.0"]) {
    it(`version ${JSON.stringify(version)} is code 1`, async () =>
      assert.equal(await refuses({}, { cniVersion: version }), 1));
  }

  for (const name of [".", "..", "a/b", "a\nb", ""]) {
    it(`network ${JSON.stringify(name)} is code 7`, async () => assert.equal(await refuses({}, { name }), 7));
  }

  for (const prevResult of [
    5,
    { ips: 5 },
    { ips: [{}] },
    { interfaces: [{ name: "a" }], ips: [{ address: "10.0.0.1/24", interface: 1 }] },
    { dns: [] },
  ]) {
    it(`prevResult ${JSON.stringify(prevResult)} is code 7`, async () =>
      assert.equal(await refuses({}, { prevResult }), 7));
  }

  for (const change of [
    { containerId: "../../etc" },
    { containerId: "a\0b" },
    { ifname: ".." },
    { ifname: "a b" },
    { ifname: "éthernet" },
    { ifname: "a\u0001b" },
    { ifname: "eth%d" },
    { ifname: "default" },
    { ifname: "sixteen-letters-" },
    { netns: "relative" },
    { args: "K8S_POD_NAMESPACE=../x;K8S_POD_NAME=a" },
    { args: "=x" },
  ]) {
    it(`${JSON.stringify(change)} is code 4`, async () => assert.equal(await refuses(change), 4));
  }
});

for (const { name: step } of addSteps) {
  describe(`before "${step}"`, () => {
    it("a namespace that goes makes ADD fail, and nothing is left", async () => {
      const { node, kernel } = fakeCniNode();
      const beforeStep = (at: string): void => {
        if (at === step) kernel.removeNamespace(netns);
      };
      const answer = await node.engine({ beforeStep }).answer(podCall(netns));
      // Once the pod is set up its end is its runtime's affair, which calls DEL.
      if (answer.exitCode !== 0) assert.deepEqual(await node.state(), nothing);
      const del = await node.engine().answer(podCall(netns, { command: "DEL" }));
      assert.deepEqual(del, { exitCode: 0, stdout: "" });
      assert.deepEqual(await node.state(), nothing);
    });

    it("a plugin that goes makes ADD fail with code 11, and nothing is left", async () => {
      const { node } = fakeCniNode();
      const plugin = new AbortController();
      const beforeStep = (at: string): void => {
        if (at === step) plugin.abort();
      };
      const answer = await node.engine({ beforeStep }).answer(podCall(netns), plugin.signal);
      // The last step's is too late.
      if (step === addSteps.at(-1)?.name) return;
      assert.equal(JSON.parse(answer.stdout).code, 11);
      assert.deepEqual(await node.state(), nothing);
    });

    it("a datastore that goes makes ADD fail with code 11, and DEL leaves nothing", async () => {
      const { node } = fakeCniNode();
      const beforeStep = (at: string): void => {
        if (at === step) node.store.disconnect();
      };
      const answer = await node.engine({ beforeStep }).answer(podCall(netns));
      if (answer.exitCode !== 0) {
        assert.equal(JSON.parse(answer.stdout).code, 11);
        assert.deepEqual(node.rig.snapshot(), []);
      }
      const away = await node.engine().answer(podCall(netns, { command: "DEL" }));
      assert.equal(JSON.parse(away.stdout).code, 11);
      assert.deepEqual(node.rig.snapshot(), [], "cut off all the same");
      node.store.reconnect();
      const del = await node.engine().answer(podCall(netns, { command: "DEL" }));
      assert.deepEqual(del, { exitCode: 0, stdout: "" });
      assert.deepEqual(await node.state(), nothing);
    });
  });
}

for (const { name: step } of deleteSteps) {
  it(`a datastore that goes before DEL's "${step}": the pair is gone, and DEL again leaves nothing`, async () => {
    const { node } = fakeCniNode();
    result(await node.engine().answer(podCall(netns)));
    const beforeStep = (at: string): void => {
      if (at === step) node.store.disconnect();
    };
    const answer = await node.engine({ beforeStep }).answer(podCall(netns, { command: "DEL" }));
    if (answer.exitCode !== 0) assert.equal(JSON.parse(answer.stdout).code, 11);
    assert.deepEqual(node.rig.snapshot(), []);
    node.store.reconnect();
    assert.equal((await node.engine().answer(podCall(netns, { command: "DEL" }))).exitCode, 0);
    assert.deepEqual(await node.state(), nothing);
  });
}

describe("an ADD while the datastore is away", () => {
  it("is served when the datastore is back in time, whatever step it was at, and others' DELs pass it", async () => {
    for (const step of ["ask what is known", "assign addresses", "write the endpoint"]) {
      const { node } = fakeCniNode();
      const gone = Promise.withResolvers<void>();
      let isAway = false;
      const beforeStep = (at: string): void => {
        if (isAway || at !== step) return;
        isAway = true;
        node.store.disconnect();
        gone.resolve();
      };
      const engine = node.engine({ beforeStep, storeWaitMs: 5_000 });
      const add = engine.answer(podCall(netns));
      await gone.promise;
      const other = { command: "DEL", containerId: "other", args: "" };
      assert.equal(JSON.parse((await engine.answer(podCall("", other))).stdout).code, 11);
      node.store.reconnect();
      assert.equal(result(await add).ips.length, 1, step);
      assert.equal([...node.ipam.allocations.values()].flat().length, 1);
      assert.equal((await engine.answer(podCall(netns, { command: "DEL" }))).exitCode, 0);
      assert.deepEqual(await node.state(), nothing);
    }
  });

  it("fails with code 11 when it is not, or when the plugin has gone", async () => {
    for (const signal of [undefined, AbortSignal.abort()]) {
      const { node } = fakeCniNode();
      node.store.disconnect();
      const answer = await node.engine({ storeWaitMs: 120 }).answer(podCall(netns), signal);
      assert.equal(JSON.parse(answer.stdout).code, 11);
      node.store.reconnect();
      assert.deepEqual(await node.state(), nothing);
    }
  });
});
