/** What the CNI engine must do over any kernel: declared once, run on the fake and on real namespaces. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import type { WorkloadEndpoint } from "@caracal/resources";
import { addSteps } from "../src/cni/add-pod.ts";
import type { CniAnswer, CniCall } from "../src/cni/cni-call.ts";
import { CniEngine, type CniEngineOptions } from "../src/cni/cni-engine.ts";
import { deleteSteps } from "../src/cni/delete-pod.ts";
import type { PodKernel } from "../src/cni/ports.ts";
import { FakeIpam } from "./cni-fakes.ts";

/** A kernel under test, with the power to make and take namespaces. */
export interface CniRig extends AsyncDisposable {
  readonly kernel: PodKernel;
  newNamespace(): string;
  removeNamespace(netns: string): void;
  /** Everything that pods leave on the host: equal snapshots mean nothing is left. */
  snapshot(): unknown;
}

/** One node: its store, addresses and kernel, whatever engines come and go. */
export class CniNode {
  readonly store: MemoryStore = new MemoryStore();
  readonly ipam: FakeIpam;
  readonly events: string[] = [];
  readonly rig: CniRig;

  /** `hasTransactions`: address and endpoint can be written at once. */
  constructor(rig: CniRig, hasTransactions = true) {
    this.rig = rig;
    this.ipam = new FakeIpam(hasTransactions ? this.store : undefined);
  }

  /** A new daemon's engine over what there is. */
  engine(options: Partial<CniEngineOptions> = {}): CniEngine {
    let uuids = 0;
    return new CniEngine({
      node: "node-1",
      store: this.store,
      ipam: this.ipam,
      kernel: this.rig.kernel,
      hooks: {
        blocksClaimed: async (blocks) => void this.events.push(`claimed ${blocks.length}`),
        endpointAdded: async ({ endpointName }) => void this.events.push(`added ${endpointName}`),
        endpointRemoved: async ({ endpointName }) => void this.events.push(`removed ${endpointName}`),
      },
      isReady: () => true,
      sources: { now: () => new Date(0), uuid: () => `uuid-${(uuids += 1)}` },
      ...options,
    });
  }

  /** Kernel, allocations and endpoints. */
  async state(): Promise<unknown> {
    const { entries } = await this.store.list("");
    return {
      kernel: this.rig.snapshot(),
      allocations: [...this.ipam.allocations.keys()],
      endpoints: entries.map(({ key }) => key),
    };
  }

  async endpoint(name: string, namespace: string): Promise<WorkloadEndpoint | undefined> {
    const entry = await this.store.get(keys.resource("workloadendpoints", name, namespace));
    return entry === undefined ? undefined : JSON.parse(entry.value);
  }
}

export const netconf = {
  cniVersion: "1.0.0",
  name: "k8s-pod-network",
  type: "calico",
  ipam: { type: "calico-ipam" },
  policy: { type: "k8s" },
};

export function podCall(netns: string, change: Partial<CniCall> = {}, config: object = {}): CniCall {
  return {
    plugin: "calico",
    command: "ADD",
    containerId: "c0ffee0123456789",
    netns,
    ifname: "eth0",
    args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx-7fc5",
    path: "/nowhere",
    stdin: JSON.stringify({ ...netconf, ...config }),
    ...change,
  };
}

/** The part of a result that tests look at. */
export interface PrintedResult {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string }[];
  readonly ips: readonly { readonly address: string }[];
  readonly dns: object;
}

export function result(answer: CniAnswer): PrintedResult {
  assert.equal(answer.exitCode, 0, answer.stdout + (answer.stderr ?? ""));
  return JSON.parse(answer.stdout);
}

/** Name of the host end in a result. */
export function hostEnd(made: PrintedResult): string {
  return made.interfaces[0]?.name ?? "";
}

function errorCode(answer: CniAnswer): number {
  assert.equal(answer.exitCode, 1, answer.stdout);
  return JSON.parse(answer.stdout).code;
}

/** A daemon that dies at a step: the step never begins, and nothing after it happens. */
function dyingAt(step: string): Pick<CniEngineOptions, "beforeStep"> & { readonly dead: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    dead: promise,
    beforeStep: (name) => {
      if (name !== step) return undefined;
      resolve();
      return new Promise<void>(() => undefined);
    },
  };
}

export interface CniSuiteOptions {
  readonly skip?: string | false;
  readonly hasTransactions?: boolean;
}

/** As `printf default.nginx-7fc5 | sha1sum` begins. */
const hostName = "cali197b2f5f4de";
const endpointName = "node--1-k8s-nginx--7fc5-eth0";

export function cniSuite(
  title: string,
  newRig: () => Promise<CniRig>,
  { skip = false, hasTransactions = true }: CniSuiteOptions = {},
): void {
  const claim = (name: string, body: (node: CniNode) => Promise<void>): void => {
    it(name, { skip }, async () => {
      await using rig = await newRig();
      await body(new CniNode(rig, hasTransactions));
    });
  };

  describe(title, () => {
    claim("ADD makes the interface, the endpoint and the result", async (node) => {
      const netns = node.rig.newNamespace();
      const made = result(await node.engine().answer(podCall(netns, {}, { mtu: 1400 })));
      const mac = made.interfaces[1]?.mac;
      assert.match(mac ?? "", /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      assert.deepEqual(made, {
        cniVersion: "1.0.0",
        interfaces: [{ name: hostName }, { name: "eth0", mac, mtu: 1400, sandbox: netns }],
        ips: [{ interface: 1, address: "10.244.0.1/32" }],
        routes: [{ dst: "10.244.0.1/32" }],
        dns: {},
      });
      assert.deepEqual(await node.endpoint(endpointName, "default"), {
        kind: "WorkloadEndpoint",
        apiVersion: "projectcalico.org/v3",
        metadata: {
          name: endpointName,
          namespace: "default",
          uid: "uuid-1",
          creationTimestamp: "1970-01-01T00:00:00Z",
          labels: {
            "projectcalico.org/namespace": "default",
            "projectcalico.org/orchestrator": "k8s",
            "projectcalico.org/serviceaccount": "default",
          },
        },
        spec: {
          orchestrator: "k8s",
          node: "node-1",
          containerID: "c0ffee0123456789",
          pod: "nginx-7fc5",
          endpoint: "eth0",
          serviceAccountName: "default",
          ipNetworks: ["10.244.0.1/32"],
          profiles: ["kns.default", "ksa.default.default"],
          interfaceName: hostName,
          mac,
        },
      });
      assert.deepEqual([...node.ipam.allocations.keys()], ["k8s-pod-network.c0ffee0123456789"]);
      assert.deepEqual(node.events, ["claimed 1", `added ${endpointName}`]);
    });

    claim("a repeated ADD gives the same result and changes nothing", async (node) => {
      const call = podCall(node.rig.newNamespace());
      const engine = node.engine();
      const first = result(await engine.answer(call));
      const state = await node.state();
      assert.deepEqual(result(await engine.answer(call)), first);
      assert.deepEqual(result(await node.engine().answer(call)), first, "after a restart");
      assert.deepEqual(await node.state(), state);
    });

    claim("DEL undoes ADD, and again, and for the unknown, without an error", async (node) => {
      const before = await node.state();
      const netns = node.rig.newNamespace();
      const engine = node.engine();
      result(await engine.answer(podCall(netns)));
      for (let count = 0; count < 3; count += 1) {
        const answer = await engine.answer(podCall(netns, { command: "DEL" }));
        assert.deepEqual(answer, { exitCode: 0, stdout: "" });
      }
      assert.deepEqual(await node.state(), before);
      const unknown = podCall("/run/netns/never-was", { command: "DEL", containerId: "unknown" });
      assert.deepEqual(await engine.answer(unknown), { exitCode: 0, stdout: "" });
    });

    claim("DEL after the namespace is gone, or without one, leaves nothing", async (node) => {
      const before = await node.state();
      for (const afterwards of ["named", "unnamed"]) {
        const netns = node.rig.newNamespace();
        result(await node.engine().answer(podCall(netns)));
        node.rig.removeNamespace(netns);
        const del = podCall(afterwards === "named" ? netns : "", { command: "DEL" });
        assert.deepEqual(await node.engine().answer(del), { exitCode: 0, stdout: "" });
        assert.deepEqual(await node.state(), before);
      }
    });

    claim(
      "DEL removes what others have changed of the endpoint, but not what another container has",
      async (node) => {
        const before = await node.state();
        const engine = node.engine();
        const netns = node.rig.newNamespace();
        for (const containerID of ["c0ffee0123456789", "another"]) {
          result(await engine.answer(podCall(netns)));
          const [entry] = (await node.store.list(keys.resources("workloadendpoints"))).entries;
          assert.ok(entry !== undefined);
          const { spec, ...rest } = JSON.parse(entry.value);
          const changed = JSON.stringify({
            ...rest,
            spec: { ...spec, containerID, labels: { by: "others" } },
          });
          await node.store.update(entry.key, changed, entry.revision);
          const answer = await engine.answer(podCall(netns, { command: "DEL" }));
          assert.deepEqual(answer, { exitCode: 0, stdout: "" });
          if (containerID === "another") await node.store.delete(entry.key);
          assert.deepEqual(await node.state(), before);
        }
      },
    );

    claim("a pod's next container replaces the former, whose late DEL leaves it alone", async (node) => {
      const before = await node.state();
      const engine = node.engine();
      const [oldNetns, newNetns] = [node.rig.newNamespace(), node.rig.newNamespace()];
      const former = podCall(oldNetns, { containerId: "former" });
      const next = podCall(newNetns, { containerId: "next" });
      result(await engine.answer(former));
      const made = result(await engine.answer(next));
      assert.deepEqual([...node.ipam.allocations.keys()], ["k8s-pod-network.next"]);
      assert.equal((await engine.answer({ ...former, command: "DEL" })).exitCode, 0);
      assert.deepEqual(result(await engine.answer(next)), made);
      const check = { ...next, command: "CHECK", stdin: JSON.stringify({ ...netconf, prevResult: made }) };
      assert.deepEqual(await engine.answer(check), { exitCode: 0, stdout: "" });
      assert.equal((await engine.answer({ ...next, command: "DEL" })).exitCode, 0);
      assert.deepEqual(await node.state(), before);
    });

    claim("containers whose IDs begin alike keep an interface each, whichever goes first", async (node) => {
      const before = await node.state();
      const engine = node.engine();
      const calls = ["web-server-1", "web-server-2"].map((name) =>
        podCall(node.rig.newNamespace(), { containerId: `default-${name}`, args: "" }),
      );
      const [first, second] = calls;
      assert.ok(first !== undefined && second !== undefined);
      const [one, two] = [result(await engine.answer(first)), result(await engine.answer(second))];
      assert.notEqual(hostEnd(one), hostEnd(two));
      assert.equal((await engine.answer({ ...first, command: "DEL" })).exitCode, 0);
      const config = JSON.stringify({ ...netconf, prevResult: two });
      const check = { ...second, command: "CHECK", stdin: config };
      assert.deepEqual(await engine.answer(check), { exitCode: 0, stdout: "" });
      assert.equal((await engine.answer({ ...second, command: "DEL" })).exitCode, 0);
      assert.deepEqual(await node.state(), before);
      for (const containerId of ["short", "c0ffee0123456789", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"]) {
        const call = podCall(node.rig.newNamespace(), { containerId, args: "" });
        assert.equal(hostEnd(result(await engine.answer(call))), `cali${containerId.slice(0, 11)}`);
        assert.equal((await engine.answer({ ...call, command: "DEL" })).exitCode, 0);
      }
    });

    claim("a second interface of a pod is refused, and its DEL leaves the first alone", async (node) => {
      const netns = node.rig.newNamespace();
      const engine = node.engine();
      const first = result(await engine.answer(podCall(netns)));
      const before = await node.state();
      const refused = await engine.answer(podCall(netns, { ifname: "net1" }));
      assert.equal(errorCode(refused), 102);
      assert.match(
        refused.stdout,
        /the pod has the interface eth0 already: a second one, net1, is not supported/,
      );
      assert.deepEqual(await node.state(), before);
      const gone = await engine.answer(podCall(netns, { command: "DEL", ifname: "net1" }));
      assert.equal(gone.exitCode, 0);
      assert.deepEqual(await node.state(), before);
      assert.equal(
        (await engine.answer(podCall(netns, { command: "CHECK" }, { prevResult: first }))).exitCode,
        0,
      );
    });

    claim("CHECK accepts what ADD made, and refuses what has been changed", async (node) => {
      const netns = node.rig.newNamespace();
      const engine = node.engine();
      const prevResult = result(await engine.answer(podCall(netns)));
      const check = (config: object): Promise<CniAnswer> =>
        engine.answer(podCall(netns, { command: "CHECK" }, config));
      assert.deepEqual(await check({ prevResult }), { exitCode: 0, stdout: "" });
      assert.equal(errorCode(await check({})), 7, "no prevResult");
      const elsewhere = { ...prevResult, ips: [{ interface: 1, address: "10.244.0.9/32" }] };
      assert.equal(errorCode(await check({ prevResult: elsewhere })), 103, "another address");
      assert.equal(errorCode(await check({ prevResult, cniVersion: "0.3.1" })), 1, "before CHECK was");
      await node.rig.kernel.removePair(hostEnd(prevResult));
      assert.equal(errorCode(await check({ prevResult })), 103, "the pair is gone");
    });

    claim("dual stack gives an address of each family", async (node) => {
      const netns = node.rig.newNamespace();
      const config = { ipam: { type: "calico-ipam", assign_ipv4: "true", assign_ipv6: "true" } };
      const made = result(await node.engine().answer(podCall(netns, {}, config)));
      assert.deepEqual(
        made.ips.map(({ address }) => address),
        ["10.244.0.1/32", "fd00::1/128"],
      );
      const check = podCall(netns, { command: "CHECK" }, { ...config, prevResult: made });
      assert.deepEqual(await node.engine().answer(check), { exitCode: 0, stdout: "" });
    });

    claim("a chain's earlier results are kept, with their numbers", async (node) => {
      const netns = node.rig.newNamespace();
      const prevResult = {
        interfaces: [{ name: "dummy0", sandbox: netns }],
        ips: [{ interface: 0, address: "192.0.2.1/24" }],
        routes: [{ dst: "192.0.2.0/24" }],
        dns: { nameservers: ["192.0.2.53"] },
      };
      const made = result(await node.engine().answer(podCall(netns, {}, { prevResult })));
      assert.equal(made.interfaces.length, 3);
      assert.deepEqual(made.ips, [
        { interface: 0, address: "192.0.2.1/24" },
        { interface: 2, address: "10.244.0.1/32" },
      ]);
      assert.deepEqual(made.dns, { nameservers: ["192.0.2.53"] });
    });

    claim("without Kubernetes arguments the container names the endpoint and the interface", async (node) => {
      const netns = node.rig.newNamespace();
      const made = result(await node.engine().answer(podCall(netns, { args: "" })));
      assert.equal(hostEnd(made), "calic0ffee01234");
      const endpoint = await node.endpoint("node--1-cni-c0ffee0123456789-eth0", "default");
      assert.deepEqual(endpoint?.spec.profiles, ["k8s-pod-network"]);
    });

    for (const step of addSteps.map(({ name }) => name)) {
      claim(`killed before "${step}": DEL leaves nothing`, async (node) => {
        const before = await node.state();
        const netns = node.rig.newNamespace();
        const dying = dyingAt(step);
        void node.engine(dying).answer(podCall(netns));
        await dying.dead;
        assert.deepEqual(await node.engine().answer(podCall(netns, { command: "DEL" })), {
          exitCode: 0,
          stdout: "",
        });
        assert.deepEqual(await node.state(), before);
      });

      claim(`killed before "${step}": a second ADD works, with one address`, async (node) => {
        const netns = node.rig.newNamespace();
        const dying = dyingAt(step);
        void node.engine(dying).answer(podCall(netns));
        await dying.dead;
        const made = result(await node.engine().answer(podCall(netns)));
        assert.equal(node.ipam.allocations.get("k8s-pod-network.c0ffee0123456789")?.length, 1);
        const check = podCall(netns, { command: "CHECK" }, { prevResult: made });
        assert.deepEqual(await node.engine().answer(check), { exitCode: 0, stdout: "" });
      });

      claim(`failed at "${step}": the call takes back what it did`, async (node) => {
        const before = await node.state();
        const netns = node.rig.newNamespace();
        const beforeStep = (name: string): void => {
          if (name === step) throw new Error("injected");
        };
        assert.equal(errorCode(await node.engine({ beforeStep }).answer(podCall(netns))), 100);
        assert.deepEqual(await node.state(), before);
      });

      claim(`replacing killed before "${step}": the pod's next container still works`, async (node) => {
        const before = await node.state();
        const [oldNetns, newNetns] = [node.rig.newNamespace(), node.rig.newNamespace()];
        result(await node.engine().answer(podCall(oldNetns, { containerId: "former" })));
        const dying = dyingAt(step);
        void node.engine(dying).answer(podCall(newNetns, { containerId: "next" }));
        await dying.dead;
        result(await node.engine().answer(podCall(newNetns, { containerId: "next" })));
        for (const [netns, containerId] of [
          [oldNetns, "former"],
          [newNetns, "next"],
        ] as const) {
          const del = podCall(netns, { command: "DEL", containerId });
          assert.equal((await node.engine().answer(del)).exitCode, 0);
        }
        assert.deepEqual(await node.state(), before);
      });
    }

    for (const step of deleteSteps.map(({ name }) => name)) {
      claim(`DEL killed before "${step}": DEL again leaves nothing, ADD again works`, async (node) => {
        const before = await node.state();
        for (const again of ["DEL", "ADD"]) {
          const netns = node.rig.newNamespace();
          result(await node.engine().answer(podCall(netns)));
          const dying = dyingAt(step);
          void node.engine(dying).answer(podCall(netns, { command: "DEL" }));
          await dying.dead;
          if (again === "ADD") result(await node.engine().answer(podCall(netns)));
          assert.equal((await node.engine().answer(podCall(netns, { command: "DEL" }))).exitCode, 0);
          assert.deepEqual(await node.state(), before, again);
        }
      });
    }
  });
}
