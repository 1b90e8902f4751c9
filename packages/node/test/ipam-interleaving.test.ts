// Aim: however the store operations of the IPAM audit, of the tunnel addresses' keeper and of pods' calls interleave, and
// wherever any of them stop for ever, no pod and no tunnel loses an address that it has, none has two owners, and what is left
// can be reclaimed. Method: every order of store operations is carried out on a store in memory, for the tunnels some by seed; the
// audit's watches show the state of the beginning all the while, as late as watches can be. SEED=n begins with another seed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { keys, readResource, ResourceClient, type Store } from "@caracal/datastore";
import {
  addressState,
  checkConsistency,
  Ipam,
  type IpamSettings,
  Nanos,
  readSnapshot,
  Reservations,
} from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import { Dice, type Explorable, explore, SteppedWorld } from "@caracal/testbed";
import pino from "pino";
import { KeyedQueue } from "../src/cni/keyed-queue.ts";
import { HandleAudit } from "../src/ipam-audit/handle-audit.ts";
import { IpamAudit } from "../src/ipam-audit/ipam-audit.ts";
import { Metrics } from "../src/observe/metrics.ts";
import { TunnelAddresses } from "../src/tunnel-addresses/tunnel-addresses.ts";

const node = "n1";
const apiVersion = "projectcalico.org/v3";
const startSeconds = 1_767_323_045;
const log = pino({ enabled: false });
/** Two addresses in one block: what one gives back the other takes. */
const range = Prefix.parse("10.0.0.0/31") ?? assert.fail();
const settings: IpamSettings = {
  pools: [
    {
      name: "pool",
      cidr: range,
      blockSize: 31,
      isEnabled: true,
      isAutomatic: true,
      uses: ["Workload", "Tunnel"],
      nodeSelector: "all()",
      namespaceSelector: "",
    },
  ],
  reservations: new Reservations([]),
  config: { strict_affinity: true, auto_allocate_blocks: true, maxBlocksPerHost: 0, ipCooldownSeconds: 0 },
  nodeLabels: {},
};

function openIpam(store: Store, seconds = () => startSeconds): Ipam {
  const now = () => Nanos.fromSeconds(seconds());
  return new Ipam({ store, node, now, settings: () => Promise.resolve(settings), attempts: 5 });
}

function clientOf(store: Store): ResourceClient {
  const uuid = () => "00000000-0000-4000-8000-000000000000";
  return new ResourceClient(store, { now: () => "2026-01-02T03:04:05Z", uuid });
}

/** Actors on a world, and the failures of which they must have none. */
class Play implements Explorable {
  readonly world: SteppedWorld;
  readonly answersInOrder = true;
  readonly #writing: Writing;
  readonly #holds: (world: SteppedWorld) => Promise<void>;
  readonly #failures: unknown[] = [];

  constructor(world: SteppedWorld, writing: Writing, holds: (world: SteppedWorld) => Promise<void>) {
    this.world = world;
    this.#writing = writing;
    this.#holds = holds;
  }

  storeOf(actor: string): Store {
    return this.#writing === "transactions"
      ? this.world.transactingStoreOf(actor)
      : this.world.storeOf(actor);
  }

  begin(act: () => Promise<unknown>): void {
    act().catch((error: unknown) => this.#failures.push(error));
  }

  readonly check = async (): Promise<void> => {
    const [failure] = this.#failures;
    if (failure !== undefined) throw failure;
    const problems = checkConsistency(readSnapshot(this.world.entries));
    assert.deepEqual(
      problems.filter(({ severity }) => severity === "unsafe"),
      [],
    );
    await this.#holds(this.world);
    const left = this.world.copy();
    let seconds = startSeconds;
    const janitor = openIpam(left.immediateStore(), () => seconds);
    // What a handle counts of no block may be under way for a minute.
    for (let turn = 0; turn < 3; turn += 1) {
      for (const { id } of readSnapshot(left.entries).handles) await janitor.releaseHandle(id);
      seconds += 61;
    }
    await janitor.releaseNode();
    const { blocks, affinities, handles } = readSnapshot(left.entries);
    assert.deepEqual([blocks, affinities, handles], [[], [], []], "records that nothing removes");
  };
}

const seedCount = 40;
const writings = ["transactions", "single writes"] as const;
type Writing = (typeof writings)[number];

/** Who has an address, by IPAM. */
function holderOf(world: SteppedWorld, address: IpAddress): string {
  const { blocks } = readSnapshot(world.entries);
  const block = blocks.find(({ cidr }) => Prefix.contains(cidr, address));
  const state = addressState(block?.record, address);
  return state.kind === "allocated" ? (state.handle ?? "") : state.kind;
}

/** As a CNI ADD does: what the handle holds already, else a new address; then the endpoint. */
async function addPod(ipam: Ipam, store: Store, pod: string, container: string): Promise<void> {
  const handle = `net.${container}`;
  const held = await ipam.addressesOf(handle);
  const attributes = { node, namespace: "default", pod };
  const result = held.length > 0 ? undefined : await ipam.assign({ family: 4, handle, attributes });
  const [address] = result === undefined ? held : result.kind === "assigned" ? result.addresses : [];
  if (address === undefined) return;
  const name = `${node}-k8s-${pod}-eth0`;
  const spec = {
    orchestrator: "k8s",
    node,
    pod,
    endpoint: "eth0",
    containerID: container,
    ipNetworks: [`${IpAddress.format(address)}/32`],
  };
  const endpoint = { kind: "WorkloadEndpoint", apiVersion, metadata: { name, namespace: "default" }, spec };
  await store.create(keys.resource("workloadendpoints", name, "default"), JSON.stringify(endpoint));
}

async function deletePod(ipam: Ipam, store: Store, pod: string, container: string): Promise<void> {
  await store.delete(keys.resource("workloadendpoints", `${node}-k8s-${pod}-eth0`, "default"));
  await ipam.releaseHandle(`net.${container}`);
}

/** Every endpoint has its address. */
async function endpointsHold(world: SteppedWorld): Promise<void> {
  for (const entry of world.entries) {
    const endpoint = readResource("WorkloadEndpoint", entry);
    if (endpoint === undefined || !entry.key.includes("/workloadendpoints/")) continue;
    const [network = ""] = endpoint.spec.ipNetworks ?? [];
    const address = Prefix.parseInterface(network)?.address ?? assert.fail(network);
    assert.equal(holderOf(world, address), `net.${endpoint.spec.containerID ?? ""}`, endpoint.metadata.name);
  }
}

/** An audit for which the leaks of the world's beginning are due. */
async function dueAudit(play: Play, ipam: Ipam, queue: KeyedQueue): Promise<IpamAudit> {
  const { blocks } = readSnapshot(play.world.entries);
  let seconds = startSeconds;
  const audit = new IpamAudit({
    node,
    store: play.storeOf("audit"),
    view: {
      isCurrent: true,
      usedBlocks: blocks.map(({ record }) => record),
      endpoints: [],
      resources: { nodes: [] },
    },
    ipam,
    mode: "repair",
    graceSeconds: 60,
    hasInterface: () => false,
    mayWrite: () => true,
    inTurnOf: (pod, work) => queue.run(pod.name, work),
    forget: () => assert.fail("no container was forgotten"),
    now: () => Nanos.fromSeconds(seconds),
    log,
    metrics: new Metrics(),
  });
  await audit.look();
  seconds += 60;
  return audit;
}

interface AuditCase {
  readonly name: string;
  readonly begin: (play: Play, queue: KeyedQueue) => void;
}

const auditCases: readonly AuditCase[] = [
  {
    name: "the same container's ADD comes back",
    begin: (play, queue) => {
      const cni = play.storeOf("cni");
      play.begin(() => queue.run("p1", () => addPod(openIpam(cni), cni, "p1", "c1")));
    },
  },
  {
    name: "another pod wants an address",
    begin: (play, queue) => {
      const other = play.storeOf("other");
      play.begin(() => queue.run("p2", () => addPod(openIpam(other), other, "p2", "c2")));
    },
  },
  {
    name: "the same container's ADD comes back, and another pod wants an address",
    begin: (play, queue) => {
      const cni = play.storeOf("cni");
      play.begin(() => queue.run("p1", () => addPod(openIpam(cni), cni, "p1", "c1")));
      const other = play.storeOf("other");
      play.begin(() => queue.run("p2", () => addPod(openIpam(other), other, "p2", "c2")));
    },
  },
  {
    name: "the pod comes back in another container, after a late DEL of the former",
    begin: (play, queue) => {
      const cni = play.storeOf("cni");
      const ipam = openIpam(cni);
      play.begin(() => queue.run("p1", () => deletePod(ipam, cni, "p1", "c1")));
      play.begin(() => queue.run("p1", () => addPod(ipam, cni, "p1", "c9")));
    },
  },
];

for (const { name, begin } of auditCases) {
  for (const writing of writings) {
    test(`the audit gives back a leak, ${writing}: ${name}`, async (t) => {
      const prepared = new SteppedWorld();
      const attributes = { node, namespace: "default", pod: "p1" };
      const first = openIpam(prepared.immediateStore());
      await first.assign({ family: 4, handle: "net.c1", attributes });
      await first.assign({ family: 4, handle: "net.busy", attributes: { node } });
      const makePlay = async (): Promise<Play> => {
        const play = new Play(prepared.copy(), writing, endpointsHold);
        const queue = new KeyedQueue({ runningMax: 8, waitingMax: 8 });
        const ipam = openIpam(play.storeOf("audit"));
        const audit = await dueAudit(play, ipam, queue);
        play.begin(() => audit.look());
        begin(play, queue);
        return play;
      };
      const { runs, states } = await explore(makePlay);
      t.diagnostic(`${states} states, ${runs} runs`);
    });
  }
}

/** An audit of handles for which those of the world's beginning are due. */
async function dueHandleAudit(play: Play): Promise<HandleAudit> {
  let seconds = startSeconds;
  const prepared = openIpam(play.world.immediateStore());
  const ipam = openIpam(play.storeOf("audit"));
  const audit = new HandleAudit({
    node,
    nodes: () => [{ metadata: { name: node } }],
    ipam: {
      surplusHandles: () => prepared.surplusHandles(),
      surplusOf: (id) => ipam.surplusOf(id),
      correctHandle: (id, revision) => ipam.correctHandle(id, revision),
    },
    repairs: true,
    graceSeconds: 60,
    mayWrite: () => true,
    now: () => Nanos.fromSeconds(seconds),
    log,
    metrics: new Metrics(),
  });
  await audit.look();
  seconds += 61;
  return audit;
}

/** Handles that count too much, by what began them; each then counts one address of the block more than it has. */
const surpluses: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  idle: (store) => store.create(keys.handle("net.c1"), '{"block":{"10.0.0.0/31":1},"deleted":false}'),
  "too high": async (store) => {
    await addPod(openIpam(store), store, "p1", "c1");
    const { key, revision } = (await store.get(keys.handle("net.c1"))) ?? assert.fail("no handle");
    await store.update(key, '{"block":{"10.0.0.0/31":2},"deleted":false}', revision);
  },
};

for (const [kind, make] of Object.entries(surpluses)) {
  for (const writing of writings) {
    for (const call of ["ADD", "DEL and ADD"]) {
      test(`the audit corrects a handle that is ${kind}, ${writing}, beside ${call} of its container`, async (t) => {
        const prepared = new SteppedWorld();
        await make(prepared.immediateStore());
        const makePlay = async (): Promise<Play> => {
          const play = new Play(prepared.copy(), writing, endpointsHold);
          const audit = await dueHandleAudit(play);
          play.begin(() => audit.look());
          const cni = play.storeOf("cni");
          const ipam = openIpam(cni);
          play.begin(async () => {
            if (call !== "ADD") await deletePod(ipam, cni, "p1", "c1");
            await addPod(ipam, cni, "p1", "c1");
          });
          return play;
        };
        const { runs, states } = await explore(makePlay);
        t.diagnostic(`${states} states, ${runs} runs`);
      });
    }
  }
}

/** What the Node names is the tunnel's, and never another's. */
async function namedHolds(world: SteppedWorld): Promise<void> {
  const entry = world.entries.find(({ key }) => key === keys.resource("nodes", node));
  const spec = entry === undefined ? undefined : readResource("Node", entry)?.spec;
  const named = IpAddress.parse(spec?.bgp?.ipv4IPIPTunnelAddr ?? "");
  if (named !== undefined) assert.equal(holderOf(world, named), `ipip-tunnel-addr-${node}`);
}

/** A daemon, its successor, and a pod that wants an address. */
async function beginTunnels(writing: Writing): Promise<Play> {
  const prepared = new SteppedWorld();
  const client = clientOf(prepared.immediateStore());
  const pool = { cidr: "10.0.0.0/28", blockSize: 31, ipipMode: "Always" } as const;
  await client.create({ kind: "IPPool", apiVersion, metadata: { name: "pool" }, spec: pool });
  await client.create({ kind: "Node", apiVersion, metadata: { name: node }, spec: {} });
  const play = new Play(prepared, writing, namedHolds);
  for (const actor of ["old", "young"]) {
    const store = play.storeOf(actor);
    const onBlocksClaimed = () => Promise.resolve();
    const parts = { node, client: clientOf(store), ipam: openIpam(store), log, onBlocksClaimed };
    play.begin(() => new TunnelAddresses(parts).ensure());
  }
  const cni = play.storeOf("cni");
  play.begin(() => addPod(openIpam(cni), cni, "p1", "c1"));
  return play;
}

for (const writing of writings) {
  // Too many orders to carry them all out.
  test(`tunnel addresses, ${writing}: a daemon and its successor, while a pod wants an address`, async (t) => {
    const first = Number(process.env.SEED ?? 1);
    t.diagnostic(`SEED=${first}`);
    for (let seed = first; seed < first + seedCount; seed += 1) {
      const dice = new Dice(seed);
      const play = await beginTunnels(writing);
      for (;;) {
        await setImmediate();
        await play.check();
        const { pending } = play.world;
        if (pending.length === 0) break;
        play.world.perform(dice.below(pending.length));
      }
    }
  });
}
