/**
 * How fast the embedded server is next to a real etcd on the same disk, through the same client: puts and transactions from
 * 1 and 16 clients, and a listing of 10,000 resources. Rounds alternate between the two; the best of each counts.
 *
 *     node packages/store-embedded/bench/store.bench.ts
 */
import { join } from "node:path";
import { EtcdStore } from "@caracal/store-etcd";
import { requireTool, startEtcd, Testbed } from "@caracal/testbed";

const rounds = 3;
const roundMs = 1_500;
const listedResources = 10_000;
const valueText = JSON.stringify({ kind: "WorkloadEndpoint", spec: { text: "x".repeat(450) } });

/** One server, by name. */
interface Subject {
  readonly name: string;
  readonly endpoint: string;
}

async function rate(
  subject: Subject,
  clients: number,
  work: (store: EtcdStore, id: string) => Promise<void>,
) {
  const stores = Array.from({ length: clients }, () => new EtcdStore({ endpoints: [subject.endpoint] }));
  await Promise.all(stores.map((store) => store.get("/bench/warm")));
  const end = performance.now() + roundMs;
  let done = 0;
  const started = performance.now();
  await Promise.all(
    stores.map(async (store, index) => {
      for (let count = 0; performance.now() < end; count += 1) {
        await work(store, `${clients}.${index}.${started.toFixed(0)}.${count}`);
        done += 1;
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(stores.map((store) => store.close()));
  return done / seconds;
}

/** A new key: compare, put. */
async function create(store: EtcdStore, id: string): Promise<void> {
  await store.create(`/bench/put/${id}`, valueText);
}

/** A read and an update of one key of the client's own. */
async function readAndUpdate(store: EtcdStore, id: string): Promise<void> {
  const key = `/bench/txn/${id.split(".").slice(0, 2).join(".")}`;
  const current = await store.get(key);
  if (current === undefined) await store.create(key, valueText);
  else await store.update(key, valueText, current.revision);
}

async function fill(subject: Subject): Promise<void> {
  const store = new EtcdStore({ endpoints: [subject.endpoint] });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < listedResources) {
      const name = next;
      next += 1;
      await store.create(`/bench/list/${name}`, valueText);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  await store.close();
}

async function listMs(subject: Subject): Promise<number> {
  const store = new EtcdStore({ endpoints: [subject.endpoint] });
  await store.get("/bench/warm");
  const started = performance.now();
  const { entries } = await store.list("/bench/list/");
  const elapsed = performance.now() - started;
  if (entries.length !== listedResources) throw new Error(`${subject.name} listed ${entries.length} entries`);
  await store.close();
  return elapsed;
}

async function startOurs(bed: Testbed): Promise<Subject> {
  const dataDir = bed.directory();
  const socket = join(dataDir, "store.sock");
  const script = join(import.meta.dirname, "../test/server-process.ts");
  const program = await bed.start([process.execPath, script, dataDir, socket]);
  await program.waitForOutput(/ready/);
  return { name: "embedded", endpoint: `unix://${socket}` };
}

/** The best figure of each subject, in alternating rounds. */
async function best(
  subjects: readonly Subject[],
  measure: (subject: Subject) => Promise<number>,
  better: (a: number, b: number) => number,
): Promise<readonly number[]> {
  const found: (number | undefined)[] = subjects.map(() => undefined);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, subject] of subjects.entries()) {
      const figure = await measure(subject);
      found[index] = better(found[index] ?? figure, figure);
    }
  }
  return found.map((figure) => figure ?? Number.NaN);
}

function report(what: string, [ours = 0, real = 0]: readonly number[], unit: string, digits: number): void {
  const ratio = (ours / real).toFixed(2);
  console.log(
    `${what.padEnd(34)} embedded ${ours.toFixed(digits)} ${unit}, etcd ${real.toFixed(digits)} ${unit}, ratio ${ratio}`,
  );
}

const missing = requireTool("etcd");
if (missing !== false) {
  console.log(`skipped: ${missing}`);
} else {
  await using bed = Testbed.create();
  const real = await startEtcd(bed);
  const subjects = [await startOurs(bed), { name: "etcd", endpoint: real.endpoint }];
  for (const clients of [1, 16]) {
    const label = `${clients} client${clients === 1 ? "" : "s"}`;
    report(`create, ${label}`, await best(subjects, (s) => rate(s, clients, create), Math.max), "/s", 0);
    report(
      `read and update, ${label}`,
      await best(subjects, (s) => rate(s, clients, readAndUpdate), Math.max),
      "/s",
      0,
    );
  }
  for (const subject of subjects) await fill(subject);
  report(`list of ${listedResources} resources`, await best(subjects, listMs, Math.min), "ms", 1);
}
