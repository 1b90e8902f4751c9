/**
 * Aim: etcd, the embedded server and Kubernetes mean the same by every call of the store port, and their watches tell the same, each
 * change once, whatever becomes of their connections. Method: a seeded sequence of calls on each store and on the one in memory, with
 * revisions named by the write they stand for; watches come in by relays that are cut all the while. SEED=… chooses the sequence.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test, type TestContext } from "node:test";
import {
  type Entry,
  keys,
  MemoryStore,
  type Revision,
  type Store,
  StoreError,
  type StoreEvent,
  type WriteOutcome,
} from "@caracal/datastore";
import { isRecord } from "@caracal/resources";
import { EmbeddedServer } from "@caracal/store-embedded";
import { EtcdStore } from "@caracal/store-etcd";
import { crdDocuments, KubernetesStore } from "@caracal/store-kubernetes";
import {
  Dice,
  eventually,
  requireKubeApiserver,
  requireTool,
  startEtcd,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";
import { CuttableRelay } from "./cuttable-relay.ts";

const seed = Number(process.env["SEED"] ?? randomInt(2 ** 31));
const callCount = 400;
const watchCount = 12;
const prefix = keys.resources("globalnetworksets");
const names = ["a", "a-b", "a.b", "ab", "b", "c"];

/** What is compared: the real store, the same over lines that are cut, and how to cut them. */
interface Subject {
  readonly store: Store;
  readonly shaky: Store;
  readonly cut: () => void;
}

/** A network set that carries text. */
function valueOf(text: string): string {
  const metadata = { annotations: { text } };
  return JSON.stringify({ kind: "GlobalNetworkSet", apiVersion: "projectcalico.org/v3", metadata, spec: {} });
}

function textOf(value: string): string {
  const member = (from: unknown, name: string): unknown => (isRecord(from) ? from[name] : undefined);
  return String(member(member(member(JSON.parse(value), "metadata"), "annotations"), "text"));
}

/** One store under the calls; what it answers is told with revisions by the number of the write. */
class Side {
  readonly store: Store;
  readonly watches: Watching[] = [];
  /** The revision of each write by its number; absent where it failed. */
  readonly #revisions: (Revision | undefined)[] = [];
  /** Where watches may begin: what listings were read at. */
  readonly #moments: Revision[] = [];

  constructor(store: Store) {
    this.store = store;
  }

  async write(number: number, call: (revision: Revision) => Promise<WriteOutcome>, of = 0): Promise<string> {
    const outcome = await call(this.revision(of));
    if (outcome.kind === "ok" && number >= 0) this.#revisions[number] = outcome.entry.revision;
    if (outcome.kind === "missing") return outcome.kind;
    const entry = outcome.kind === "ok" ? outcome.entry : outcome.current;
    return `${outcome.kind} ${this.tell(entry)}`;
  }

  /** Of a write, or the last one before it that did not fail. Before all of them, a moment at which nothing changed. */
  revision(number: number): Revision {
    const found = this.#revisions.slice(0, number + 1).findLast((one) => one !== undefined);
    return found ?? this.#moments[0] ?? assert.fail("nothing was listed");
  }

  tell({ key, value, revision }: Entry): string {
    const number = Number(textOf(value));
    const isIts = this.#revisions[number] === revision;
    return `${key} ${number}${isIts ? "" : ` at ${revision}, not ${this.#revisions[number]}`}`;
  }

  async list(under: string): Promise<readonly string[]> {
    const { revision, entries } = await this.store.list(under);
    if (under === prefix) this.#moments.push(revision);
    return entries.map((entry) => this.tell(entry));
  }

  /** A watch by another client, from the moment of one of the listings. */
  watch(client: Store, moment: number): void {
    this.watches.push(new Watching(client, this.#moments[moment] ?? assert.fail("no such listing")));
  }

  momentCount(): number {
    return this.#moments.length;
  }
}

/** What a watch told, without revisions: a store need not show those of deletions. */
class Watching {
  readonly told: string[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(store: Store, after: Revision) {
    this.#ended = this.#run(store, after);
    // A failure is told when it is asked for.
    this.#ended.catch(() => undefined);
  }

  async #run(store: Store, after: Revision): Promise<void> {
    let last = after;
    while (!this.#stop.signal.aborted) {
      try {
        for await (const batch of store.watch(prefix, last, this.#stop.signal)) {
          for (const event of batch) {
            this.told.push(brief(event));
            last = event.kind === "put" ? event.entry.revision : event.revision;
          }
        }
      } catch (error) {
        // The lines were cut more often than it is patient for: it goes on from what it told last.
        if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

function brief(event: StoreEvent): string {
  if (event.kind === "delete") return `delete ${event.key}`;
  return `${event.created ? "create" : "update"} ${event.entry.key} ${textOf(event.entry.value)}`;
}

/** Makes the same calls on the store and on the one in memory, and compares all that they answer and tell. */
async function compare(t: TestContext, { store, shaky, cut }: Subject): Promise<void> {
  t.diagnostic(`SEED=${seed}`);
  const dice = new Dice(seed);
  const memory = new MemoryStore({ historyEvents: 10 * callCount });
  const [real, model] = [new Side(store), new Side(memory)];
  t.after(() => Promise.all(real.watches.map((watching) => watching.stop())));
  const both = async <Answer>(what: string, call: (side: Side) => Promise<Answer>): Promise<void> => {
    const [found, expected] = await Promise.all([call(real), call(model)]);
    assert.deepEqual(found, expected, what);
  };
  await both("the first listing", (side) => side.list(prefix));
  for (let number = 0; number < callCount; number += 1) {
    const key = `${prefix}${dice.pick(names)}`;
    const earlier = dice.below(Math.max(1, number));
    const calls: Readonly<Record<string, (side: Side) => Promise<unknown>>> = {
      create: (side) => side.write(number, () => side.store.create(key, valueOf(String(number)))),
      update: (side) =>
        side.write(number, (revision) => side.store.update(key, valueOf(String(number)), revision), earlier),
      replace: async (side) => {
        const current = await side.store.get(key);
        const revision = current?.revision ?? side.revision(0);
        return side.write(number, () => side.store.update(key, valueOf(String(number)), revision));
      },
      delete: (side) => side.write(-1, () => side.store.delete(key)),
      deleteAt: (side) => side.write(-1, (revision) => side.store.delete(key, revision), earlier),
      get: async (side) => {
        const entry = await side.store.get(key);
        return entry === undefined ? "none" : side.tell(entry);
      },
      list: (side) => side.list(prefix),
      listPart: (side) => side.list(key),
    };
    const name = dice.pick(["create", "create", "update", "replace", "replace", ...Object.keys(calls)]);
    await both(`call ${number}: ${name} ${key}`, calls[name] ?? assert.fail(name));
    if (real.watches.length < watchCount && dice.chance(0.05)) {
      const moment = dice.below(real.momentCount());
      real.watch(shaky, moment);
      model.watch(memory, moment);
    }
    if (dice.chance(0.05)) cut();
  }
  await both("the end", (side) =>
    side.write(callCount, () => side.store.create(`${prefix}z`, valueOf(String(callCount)))),
  );
  for (const [index, watching] of real.watches.entries()) {
    const expected = model.watches[index];
    assert.ok(expected !== undefined);
    const last = `create ${prefix}z ${callCount}`;
    await eventually(() => expected.told.includes(last) && watching.told.includes(last), { what: last });
    assert.deepEqual(watching.told, expected.told, `watch ${index}`);
    await watching.stop();
    await expected.stop();
  }
}

test("etcd", { skip: requireTool("etcd", "etcdctl") }, async (t) => {
  const bed = Testbed.create(t);
  const { endpoint } = await startEtcd(bed);
  const relay = await CuttableRelay.start({ host: "127.0.0.1", port: Number(new URL(endpoint).port) });
  const store = new EtcdStore({ endpoints: [endpoint] });
  const shaky = new EtcdStore({ endpoints: [`http://127.0.0.1:${relay.port}`] });
  bed.defer(async () => void (await Promise.all([store.close(), shaky.close(), relay.stop()])));
  await compare(t, { store, shaky, cut: () => relay.cut() });
});

test("the embedded server", async (t) => {
  const bed = Testbed.create(t);
  const server = await EmbeddedServer.start({
    dataDir: bed.directory("store"),
    listen: [{ host: "127.0.0.1", port: 0 }],
  });
  const [endpoint = ""] = server.endpoints;
  const relay = await CuttableRelay.start({ host: "127.0.0.1", port: Number(new URL(endpoint).port) });
  const store = new EtcdStore({ endpoints: [endpoint] });
  const shaky = new EtcdStore({ endpoints: [`http://127.0.0.1:${relay.port}`] });
  bed.defer(async () => {
    await Promise.all([store.close(), shaky.close(), relay.stop()]);
    await server.stop();
  });
  await compare(t, { store, shaky, cut: () => relay.cut() });
});

test("Kubernetes", { skip: requireKubeApiserver() || requireTool("etcd", "openssl") }, async (t) => {
  const bed = Testbed.create(t);
  const definitions = crdDocuments("crd.projectcalico.org").filter((one) =>
    JSON.stringify(one).includes('"globalnetworksets"'),
  );
  const server = await startKubeApiserver(bed, { definitions });
  const relay = await CuttableRelay.start({ host: "127.0.0.1", port: Number(new URL(server.url).port) });
  const identity = { authorization: `Bearer ${server.token}` };
  const credentials = { present: async () => identity, forget: () => undefined };
  const admin = { url: server.url, ca: server.ca, credentials };
  const apiGroup = "crd.projectcalico.org";
  const store = new KubernetesStore({ server: admin, apiGroup });
  const shaky = new KubernetesStore({
    server: { ...admin, url: `https://127.0.0.1:${relay.port}` },
    apiGroup,
  });
  bed.defer(async () => void (await Promise.all([store.close(), shaky.close(), relay.stop()])));
  await compare(t, { store, shaky, cut: () => relay.cut() });
});
