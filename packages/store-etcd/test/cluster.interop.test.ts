/**
 * Aim: a cluster whose leader dies, or is held, costs no reader an answer and no watch a change; a member that is behind is
 * waited for; tokens that went with a restart are asked for anew; what is too large takes nothing else with it.
 * Method: three members of Debian's etcd on loopback, killed, held and started again under writers and a watch.
 */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { type StoreEvent, StoreError } from "@caracal/datastore";
import { eventually, requireTool, Testbed } from "@caracal/testbed";
import { EtcdStore, type EtcdStoreOptions } from "../src/index.ts";
import { EtcdCluster } from "./etcd-cluster.ts";

const skip = requireTool("etcd", "etcdctl");

function open(t: TestContext, options: EtcdStoreOptions): EtcdStore {
  const store = new EtcdStore(options);
  t.after(() => store.close());
  return store;
}

/** Collects what a watch of everything under `/c/` tells from now on; `failure` is how it ended by itself. */
class Watching {
  readonly revisions: bigint[] = [];
  readonly keys = new Set<string>();
  failure: unknown;
  readonly #stop = new AbortController();
  #ended: Promise<void> | undefined;

  static async start(t: TestContext, store: EtcdStore): Promise<Watching> {
    const watching = new Watching();
    const { revision } = await store.list("/c/");
    watching.#ended = watching.#run(store.watch("/c/", revision, watching.#stop.signal));
    t.after(() => watching.#stop.abort());
    return watching;
  }

  async #run(batches: AsyncIterable<readonly StoreEvent[]>): Promise<void> {
    try {
      for await (const event of flat(batches)) {
        if (event.kind !== "put") continue;
        this.revisions.push(BigInt(event.entry.revision));
        this.keys.add(event.entry.key);
      }
    } catch (error) {
      this.failure = error;
    }
  }

  /** Until it has told of these, in order and once. */
  async hasTold(keys: readonly string[]): Promise<void> {
    await eventually(() => this.failure !== undefined || keys.every((key) => this.keys.has(key)), {
      what: "all that was written",
    });
    assert.equal(this.failure, undefined);
    assert.deepEqual(this.revisions, [...new Set(this.revisions)].toSorted(byValue), "once and in order");
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

async function* flat(batches: AsyncIterable<readonly StoreEvent[]>): AsyncGenerator<StoreEvent> {
  for await (const batch of batches) yield* batch;
}

function byValue(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

describe("a cluster of etcd", { skip }, () => {
  test("whose leaders die and are held: reads are answered, and a watch misses nothing", async (t) => {
    const cluster = await EtcdCluster.start(Testbed.create(t));
    const { endpoints } = cluster;
    // That nothing is answered in this time is all that tells of a leader that is held.
    const options = { endpoints, requestTimeoutMs: 5_000 };
    const [reader, writer] = [open(t, options), open(t, options)];
    const watching = await Watching.start(t, open(t, { endpoints }));
    const stop = new AbortController();
    t.after(() => stop.abort());
    const written: string[] = [];
    const writing = (async () => {
      for (let count = 0; !stop.signal.aborted; count += 1) {
        try {
          const outcome = await writer.create(`/c/${count}`, "1");
          if (outcome.kind === "ok") written.push(outcome.entry.key);
        } catch (error) {
          // It may have happened, or not.
          if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
        }
      }
    })();
    const more = async (what: string): Promise<void> => {
      const before = written.length;
      await eventually(() => written.length > before + 20, { what });
      assert.ok((await reader.list("/c/")).entries.length >= before);
    };
    for (const harm of ["SIGKILL", "SIGSTOP"] as const) {
      await more("writes");
      const leader = await cluster.leader();
      cluster.program(leader).signal(harm);
      await more(`writes after ${harm}`);
      if (harm === "SIGKILL") await cluster.startMember(leader);
      else cluster.program(leader).signal("SIGCONT");
    }
    await more("writes at the end");
    stop.abort();
    await writing;
    await watching.hasTold(written);
    await watching.stop();
  });

  test("a watch that meets a member which is behind waits for it", async (t) => {
    const cluster = await EtcdCluster.start(Testbed.create(t));
    const leader = await cluster.leader();
    const [late, other] = [(leader + 1) % 3, (leader + 2) % 3];
    const endpointOf = (index: number): string => cluster.endpoints[index] ?? "";
    const writer = open(t, { endpoints: [endpointOf(other)] });
    const watching = await Watching.start(t, open(t, { endpoints: [endpointOf(leader), endpointOf(late)] }));
    cluster.program(late).signal("SIGSTOP");
    const value = "x".repeat(20_000);
    const keys = Array.from({ length: 800 }, (_, index) => `/c/${index}`);
    for (let at = 0; at < keys.length; at += 8)
      await Promise.all(keys.slice(at, at + 8).map((key) => writer.create(key, value)));
    await watching.hasTold(keys);
    cluster.program(leader).signal("SIGKILL");
    cluster.program(late).signal("SIGCONT");
    const last = await eventually(() => writer.create("/c/last", "1").catch(() => undefined));
    assert.ok(last.kind === "ok" || last.kind === "exists");
    await watching.hasTold([...keys, "/c/last"]);
    await watching.stop();
  });

  test("a restart that forgets tokens is not noticed, by a watch alone either", async (t) => {
    const cluster = await EtcdCluster.start(Testbed.create(t), 1);
    const { endpoints } = cluster;
    const login = { endpoints, username: "keeper", password: "secret" };
    const [early, writer] = [open(t, login), open(t, login)];
    assert.equal(await early.get("/c/none"), undefined, "while the server has no users");
    for (const words of [
      "user add root:secret --interactive=false",
      "user grant-role root root",
      "role add keepers",
      "role grant-permission keepers --prefix=true readwrite /c/",
      "user add keeper:secret --interactive=false",
      "user grant-role keeper keepers",
      "auth enable",
    ])
      await cluster.etcdctl(...words.split(" "));
    assert.equal(await early.get("/c/none"), undefined, "once it has");
    const watching = await Watching.start(t, open(t, login));
    const keys = ["/c/0", "/c/1", "/c/2"];
    for (const key of keys) {
      await eventually(
        async () => (await writer.create(key, "1").catch(() => ({ kind: "later" }))).kind !== "later",
      );
      await watching.hasTold([key]);
      cluster.program(0).signal("SIGKILL");
      await cluster.program(0).exited;
      await cluster.startMember(0);
    }
    await watching.stop();
    await eventually(() => cluster.etcdctl("--user=root:secret", "auth", "disable").catch(() => undefined));
    assert.equal((await writer.get("/c/0"))?.value, "1", "when its users are gone again");
  });

  test("a request beyond all bounds is invalid, and those beside it are answered", async (t) => {
    const { endpoints } = await EtcdCluster.start(Testbed.create(t), 1);
    const store = open(t, { endpoints });
    const outcomes = await Promise.allSettled(
      [1_000, 12_000_000, 1_400_000].map((size) => store.create(`/c/${size}`, "x".repeat(size))),
    );
    const [small, huge, large] = outcomes.map((one) =>
      one.status === "fulfilled" ? one.value.kind : String(one.reason),
    );
    assert.deepEqual([small, large], ["ok", "ok"]);
    assert.match(huge ?? "", /: a request of 120000\d\d bytes is too large: at most 2097152 are taken$/);
  });
});
