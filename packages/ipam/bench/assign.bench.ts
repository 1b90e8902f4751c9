/**
 * How many addresses a second IPAM assigns, against the bare rate of the same transactions on the same store from as many clients
 * in the same run: 1, 10 and 100 nodes with one request at a time each, and one node with 50. The bare side does, for each
 * address, one transaction with the keys, conditions and values that an assignment has (recorded beforehand, while one node
 * filled a block), each lane on keys of its own; the cheapest write there is, one small key, stands beside it. The rounds
 * alternate, and a ratio is the median of the ratios of neighbouring rounds, so that other work on the machine counts little.
 * The microseconds are what this process spends on one: with many nodes in one process it is what limits them, not the store.
 *
 *     npm run bench -- ipam [--store=etcd|embedded|memory]
 */
import { join } from "node:path";
import { MemoryStore, type Revision, type Store, type TransactionStep } from "@caracal/datastore";
import { Ipam, type IpamSettings, Nanos, Reservations } from "@caracal/ipam";
import { Ipv4, Prefix } from "@caracal/net";
import { EtcdStore } from "@caracal/store-etcd";
import { requireTool, startEtcd, Testbed } from "@caracal/testbed";

const roundMs = 700;
const rounds = 7;
/** In a block of the pool. */
const blockAddresses = 64;
/** Enough for every round, and far from what a full pool would cost. */
const settings: IpamSettings = {
  pools: [
    {
      name: "pool",
      cidr: Prefix.of(Ipv4.of(0x0a000000), 8),
      blockSize: 26,
      isEnabled: true,
      isAutomatic: true,
      uses: ["Workload"],
      nodeSelector: "all()",
      namespaceSelector: "",
    },
  ],
  reservations: new Reservations([]),
  config: {
    strict_affinity: true,
    auto_allocate_blocks: true,
    maxBlocksPerHost: 100_000,
    ipCooldownSeconds: 0,
  },
  nodeLabels: {},
};

interface Subject {
  readonly name: string;
  /** Begins a measurement: gives what makes a client for each node. */
  readonly begin: () => () => Store;
}

interface Load {
  readonly label: string;
  readonly nodes: number;
  readonly atOnce: number;
}

/** Prepares one client; gives what makes a lane of it, which does one piece of work after the other. */
type Work = (store: Store, node: string) => () => (id: string) => Promise<void>;

function assignOn(store: Store, node: string): (id: string) => Promise<void> {
  const now = (): Nanos => Nanos.of(BigInt(Date.now()) * 1_000_000n);
  const ipam = new Ipam({ store, node, now, settings: () => Promise.resolve(settings) });
  return async (id) => {
    const attributes = { node, namespace: "default", pod: id };
    const result = await ipam.assign({ family: 4, handle: `k8s-pod-network.${id}`, attributes });
    if (result.kind !== "assigned") throw new Error(result.message);
  };
}

const assign: Work = (store, node) => {
  const one = assignOn(store, node);
  return () => one;
};

/** The transactions by which one node fills a block. */
async function recordTransactions(): Promise<readonly (readonly TransactionStep[])[]> {
  const memory = new MemoryStore();
  const recorded: (readonly TransactionStep[])[] = [];
  const transact: Store["transact"] = async (steps) => {
    recorded.push(steps);
    return memory.transact(steps);
  };
  const store: Store = {
    get: (key) => memory.get(key),
    list: (prefix) => memory.list(prefix),
    create: (key, value) => memory.create(key, value),
    update: (key, value, revision) => memory.update(key, value, revision),
    delete: (key, revision) => memory.delete(key, revision),
    watch: (prefix, after, signal) => memory.watch(prefix, after, signal),
    transact,
    close: () => memory.close(),
  };
  const one = assignOn(store, "etcd-12345-n0");
  for (let count = 0; count < blockAddresses; count += 1) await one(`etcd-12345-0-${count}`);
  return recorded;
}

const recorded = await recordTransactions();
const recordedRoot = "/calico/ipam/v2/";
let lanesMade = 0;

/** The recorded transactions over and over, each time on new keys of the same length. */
const sameTransactions: Work = (store) => () => {
  const revisions = new Map<string, Revision>();
  const lane = (lanesMade += 1);
  let count = 0;
  return async () => {
    const turn = Math.floor(count / recorded.length);
    const root = `/bare/${lane}/${turn}`.padEnd(recordedRoot.length, "/");
    const steps = (recorded[count % recorded.length] ?? []).map((step): TransactionStep => {
      const key = root + step.key.slice(recordedRoot.length);
      const revision = revisions.get(key);
      return step.kind === "create" || revision === undefined ? { ...step, key } : { ...step, key, revision };
    });
    count += 1;
    const outcome = await store.transact?.(steps);
    if (outcome?.kind !== "ok") throw new Error("a bare transaction was refused");
    for (const step of steps) if (step.kind !== "expect") revisions.set(step.key, outcome.revision);
  };
};

const smallCreate: Work = (store) => () => async (id) => {
  await store.create(`/bench/${id}`, '{"block":{"10.244.120.64/26":1},"deleted":false}');
};

/** What one round came to. */
interface Figures {
  readonly perSecond: number;
  /** Processor time of this process for one, in microseconds. */
  readonly microseconds: number;
}

async function rate(subject: Subject, load: Load, work: Work): Promise<Figures> {
  const run = `${subject.name}-${performance.now().toFixed(0)}`;
  const stores = Array.from({ length: load.nodes }, subject.begin());
  const lanes = stores.flatMap((store, node) => {
    const newLane = work(store, `${run}-n${node}`);
    return Array.from({ length: load.atOnce }, newLane);
  });
  await Promise.all(lanes.map((one, lane) => one(`${run}-warm-${lane}`)));
  let done = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  const loop = async (one: (id: string) => Promise<void>, lane: number): Promise<void> => {
    for (let count = 0; performance.now() < started + roundMs; count += 1) {
      await one(`${run}-${lane}-${count}`);
      done += 1;
    }
  };
  await Promise.all(lanes.map(loop));
  const perSecond = (done / (performance.now() - started)) * 1000;
  const { user, system } = process.cpuUsage(before);
  await Promise.all(stores.map((store) => store.close()));
  return { perSecond, microseconds: (user + system) / done };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function ratioOf(ours: readonly Figures[], theirs: readonly Figures[]): string {
  const rate = (figures: readonly Figures[], round: number): number =>
    figures[round]?.perSecond ?? Number.NaN;
  return median(ours.map((_, round) => rate(ours, round) / rate(theirs, round))).toFixed(2);
}

function shown(figures: readonly Figures[]): string {
  const perSecond = median(figures.map((one) => one.perSecond));
  const microseconds = median(figures.map((one) => one.microseconds));
  return `${perSecond.toFixed(0)}/s, ${microseconds.toFixed(0)} µs`;
}

async function compare(subject: Subject, load: Load): Promise<void> {
  // The first round of each is not counted: a daemon that runs has its code compiled.
  for (const work of [smallCreate, sameTransactions, assign]) await rate(subject, load, work);
  const small: Figures[] = [];
  const same: Figures[] = [];
  const assigned: Figures[] = [];
  for (let round = 0; round < rounds; round += 1) {
    small.push(await rate(subject, load, smallCreate));
    same.push(await rate(subject, load, sameTransactions));
    assigned.push(await rate(subject, load, assign));
  }
  console.log(
    `${subject.name.padEnd(9)} ${load.label.padEnd(18)} assignments ${shown(assigned)}; ` +
      `same transactions bare ${shown(same)}, ratio ${ratioOf(assigned, same)}; ` +
      `small creates ${shown(small)}, ratio ${ratioOf(assigned, small)}`,
  );
}

await using bed = Testbed.create();
const newMemory = (): (() => Store) => {
  const store = new MemoryStore({ historyEvents: 1000 });
  return () => store;
};
const subjects: Subject[] = [{ name: "memory", begin: newMemory }];
const directory = bed.directory("embedded");
const socket = join(directory, "store.sock");
const server = await bed.start([
  process.execPath,
  join(import.meta.dirname, "embedded-server.ts"),
  directory,
  socket,
]);
await server.waitForOutput(/ready/);
subjects.push({ name: "embedded", begin: () => () => new EtcdStore({ endpoints: [`unix://${socket}`] }) });
const missing = requireTool("etcd");
if (missing === false) {
  const { endpoint } = await startEtcd(bed);
  subjects.push({ name: "etcd", begin: () => () => new EtcdStore({ endpoints: [endpoint] }) });
} else console.log(`etcd skipped: ${missing}`);

const loads: readonly Load[] = [
  { label: "1 node", nodes: 1, atOnce: 1 },
  { label: "1 node, 50 at once", nodes: 1, atOnce: 50 },
  { label: "10 nodes", nodes: 10, atOnce: 1 },
  { label: "100 nodes", nodes: 100, atOnce: 1 },
];
const only = /^--store=(.*)$/.exec(process.argv[2] ?? "")?.[1];
for (const subject of subjects.filter(({ name }) => only === undefined || only === name))
  for (const load of loads) await compare(subject, load);
