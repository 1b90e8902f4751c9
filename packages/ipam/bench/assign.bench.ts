/**
 * How many addresses a second IPAM assigns, against bare transactions on the same store from as many clients in the same
 * run: 1, 10 and 100 nodes with one request at a time each, and one node with 50. The rounds alternate, and the ratio is the
 * median of the ratios of neighbouring rounds, so that other work on the machine counts little. The microseconds are what this
 * process spends on one: with many nodes in one process it is what limits them, not the store.
 *
 *     npm run bench -- ipam [--store=etcd|embedded|memory]
 */
import { join } from "node:path";
import { MemoryStore, type Store } from "@caracal/datastore";
import { Ipam, type IpamSettings, Nanos, Reservations } from "@caracal/ipam";
import { Ipv4, Prefix } from "@caracal/net";
import { EtcdStore } from "@caracal/store-etcd";
import { requireTool, startEtcd, Testbed } from "@caracal/testbed";

const roundMs = 700;
const rounds = 7;
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

type Work = (store: Store, node: string) => (id: string) => Promise<void>;

const assign: Work = (store, node) => {
  const now = (): Nanos => Nanos.of(BigInt(Date.now()) * 1_000_000n);
  const ipam = new Ipam({ store, node, now, settings: () => Promise.resolve(settings) });
  return async (id) => {
    const attributes = { node, namespace: "default", pod: id };
    const result = await ipam.assign({ family: 4, handle: `k8s-pod-network.${id}`, attributes });
    if (result.kind !== "assigned") throw new Error(result.message);
  };
};

const bareWrite: Work = (store) => async (id) => {
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
  const workers = stores.map((store, node) => work(store, `${run}-n${node}`));
  await Promise.all(workers.map((one, node) => one(`${run}-warm-${node}`)));
  let done = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  const loop = async (one: (id: string) => Promise<void>, lane: number): Promise<void> => {
    for (let count = 0; performance.now() < started + roundMs; count += 1) {
      await one(`${run}-${lane}-${count}`);
      done += 1;
    }
  };
  const lanes = workers.flatMap((one, node) =>
    Array.from({ length: load.atOnce }, (_, index) => loop(one, node * load.atOnce + index)),
  );
  await Promise.all(lanes);
  const perSecond = (done / (performance.now() - started)) * 1000;
  const { user, system } = process.cpuUsage(before);
  await Promise.all(stores.map((store) => store.close()));
  return { perSecond, microseconds: (user + system) / done };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function compare(subject: Subject, load: Load): Promise<void> {
  const assignments: Figures[] = [];
  const writes: Figures[] = [];
  for (let round = 0; round < rounds; round += 1) {
    writes.push(await rate(subject, load, bareWrite));
    assignments.push(await rate(subject, load, assign));
  }
  const ratios = assignments.map(
    ({ perSecond }, index) => perSecond / (writes[index]?.perSecond ?? Number.NaN),
  );
  const shown = (figures: readonly Figures[]): string =>
    `${median(figures.map(({ perSecond }) => perSecond)).toFixed(0)}/s, ` +
    `${median(figures.map(({ microseconds }) => microseconds)).toFixed(0)} µs`;
  console.log(
    `${subject.name.padEnd(9)} ${load.label.padEnd(18)} assignments ${shown(assignments)}; ` +
      `transactions ${shown(writes)}; ratio ${median(ratios).toFixed(2)}`,
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
