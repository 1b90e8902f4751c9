/**
 * How many addresses a second IPAM assigns, against bare writes to the same store from as many clients in the same run:
 * one request at a time, 50 at a time on one node, and 10 nodes with 10 each. An assignment is at least two writes, its
 * handle and its block; requests made at once share the block's.
 *
 *     npm run bench -- ipam
 */
import { join } from "node:path";
import { MemoryStore, type Store } from "@caracal/datastore";
import { Ipam, type IpamSettings, Nanos, Reservations } from "@caracal/ipam";
import { Ipv4, Prefix } from "@caracal/net";
import { EtcdStore } from "@caracal/store-etcd";
import { requireTool, startEtcd, Testbed } from "@caracal/testbed";

const roundMs = 1_000;
const rounds = 2;
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

async function rate(subject: Subject, load: Load, work: Work): Promise<number> {
  const run = `${subject.name}-${performance.now().toFixed(0)}`;
  const stores = Array.from({ length: load.nodes }, subject.begin());
  const workers = stores.map((store, node) => work(store, `${run}-n${node}`));
  for (const [node, one] of workers.entries()) await one(`${run}-warm-${node}`);
  let done = 0;
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
  await Promise.all(stores.map((store) => store.close()));
  return perSecond;
}

async function compare(subject: Subject, load: Load): Promise<void> {
  let assignments = 0;
  let writes = 0;
  for (let round = 0; round < rounds; round += 1) {
    writes = Math.max(writes, await rate(subject, load, bareWrite));
    assignments = Math.max(assignments, await rate(subject, load, assign));
  }
  console.log(
    `${subject.name.padEnd(9)} ${load.label.padEnd(22)} ${assignments.toFixed(0)} assignments/s, ` +
      `${writes.toFixed(0)} bare writes/s, ratio ${(assignments / writes).toFixed(2)}`,
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
  { label: "one at a time", nodes: 1, atOnce: 1 },
  { label: "50 at a time", nodes: 1, atOnce: 50 },
  { label: "10 nodes, 10 at a time", nodes: 10, atOnce: 10 },
];
for (const subject of subjects) for (const load of loads) await compare(subject, load);
