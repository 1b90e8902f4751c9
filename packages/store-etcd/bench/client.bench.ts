/**
 * What our client costs beside others on the same real etcd: a listing of 10,000 resources and their decoding against `etcdctl get` (which
 * prints them) and the plain gRPC library; creates one after another and sixteen at a time against the plain library's; 10,000
 * changes told to one watch and to eight, against `etcdctl watch`. Rounds alternate; medians.
 *
 *     npm run bench -- store-etcd/bench/client
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { keys, readResource, type Store } from "@caracal/datastore";
import {
  figuresText,
  inParallel,
  medians,
  rateOf,
  requireTool,
  startEtcd,
  Testbed,
  timed,
} from "@caracal/testbed";
import { KV, wireMethod } from "@caracal/etcd-api";
import { Client, credentials } from "@grpc/grpc-js";
import { EtcdStore } from "../src/index.ts";

const rounds = 5;
const resourceCount = 10_000;
const writeMs = 1_500;
const eventCount = 10_000;
const prefix = keys.resources("globalnetworksets");

const encode = (bytes: Uint8Array<ArrayBuffer>): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const range = wireMethod(KV.method.range, encode);
const txn = wireMethod(KV.method.txn, encode);

function document(name: string): string {
  return JSON.stringify({
    kind: "GlobalNetworkSet",
    apiVersion: "projectcalico.org/v3",
    metadata: {
      name,
      uid: `0000-${name}`,
      creationTimestamp: "2024-01-08T03:12:11Z",
      labels: { app: "web" },
    },
    spec: { nets: ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"] },
  });
}

/** The plain library: one call, as its documentation has it. */
function plainClient(endpoint: string) {
  const client = new Client(endpoint.replace("http://", "dns:"), credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const call = <RequestInit, Response>(
    method: {
      readonly path: string;
      readonly requestSerialize: (request: RequestInit) => Buffer;
      readonly responseDeserialize: (bytes: Buffer) => Response;
    },
    request: RequestInit,
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        (error, answer) => (answer === undefined ? reject(error ?? new Error("no answer")) : resolve(answer)),
      );
    });
  return { call, close: () => client.close() };
}

function etcdctl(endpoint: string, args: readonly string[]) {
  return spawn("etcdctl", [`--endpoints=${endpoint}`, ...args], {
    env: { ...process.env, ETCDCTL_API: "3" },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Resolves when a program has printed so many lines that match. */
async function lines(child: ReturnType<typeof etcdctl>, matches: RegExp, count: number): Promise<void> {
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (matches.test(line)) seen += 1;
    if (seen === count) return;
  }
}

async function benchList(endpoint: string, store: Store): Promise<void> {
  await inParallel(resourceCount, 16, async (index) => {
    await store.create(`${prefix}set-${index}`, document(`set-${index}`));
  });
  const plain = plainClient(endpoint);
  const key = Buffer.from(prefix);
  const rangeEnd = Buffer.from(`${prefix.slice(0, -1)}0`);
  const figures = await medians(
    {
      "decoded by us": () =>
        timed(async () => {
          const { entries } = await store.list(prefix);
          const read = entries.filter((entry) => readResource("GlobalNetworkSet", entry) !== undefined);
          if (read.length !== resourceCount) throw new Error(`${read.length} resources read`);
        }),
      "etcdctl get": () =>
        timed(() => lines(etcdctl(endpoint, ["get", "--prefix", prefix]), /^\{/, resourceCount)),
      "plain gRPC, not decoded": () =>
        timed(async () => {
          const { kvs } = await plain.call(range, { key, rangeEnd });
          if (kvs.length !== resourceCount) throw new Error(`${kvs.length} entries`);
        }),
    },
    rounds,
  );
  plain.close();
  console.log(figuresText(`list of ${resourceCount} resources`, "ms", figures));
}

async function benchWrites(endpoint: string, store: Store): Promise<void> {
  const plain = plainClient(endpoint);
  let serial = 0;
  const rate = (workers: number, write: (key: string) => Promise<unknown>): Promise<number> =>
    rateOf(workers, writeMs, async () => {
      serial += 1;
      await write(`/bench/${serial}`);
    });
  const value = document("written");
  for (const workers of [1, 16]) {
    const figures = await medians(
      {
        ours: () => rate(workers, (key) => store.create(key, value)),
        "plain gRPC": () =>
          rate(workers, (key) => {
            const name = Buffer.from(key);
            const put = { key: name, value: Buffer.from(value) };
            return plain.call(txn, {
              success: [{ request: { case: "requestPut", value: put } }],
            });
          }),
      },
      rounds,
    );
    console.log(figuresText(`creates, ${workers} at a time, one client`, "/s", figures));
  }
  plain.close();
}

async function benchWatch(endpoint: string, store: Store): Promise<void> {
  let round = 0;
  const write = (root: string): Promise<void> =>
    inParallel(eventCount, 64, async (index) => {
      await store.create(`${root}${index}`, "{}");
    });
  /** Until every watch has told of the changes, which are made meanwhile. */
  const ours = async (watches: number): Promise<number> => {
    round += 1;
    const root = `/watched/${round}/`;
    const { revision } = await store.list(root);
    const watching = Array.from({ length: watches }, async () => {
      let seen = 0;
      for await (const batch of store.watch(root, revision, new AbortController().signal)) {
        seen += batch.length;
        if (seen >= eventCount) return;
      }
    });
    return timed(async () => {
      await Promise.all([write(root), ...watching]);
    });
  };
  const theirs = async (): Promise<number> => {
    round += 1;
    const root = `/watched/${round}/`;
    // From a revision on, for it takes a while to connect.
    const { revision } = await store.list(root);
    const child = etcdctl(endpoint, ["watch", "--prefix", root, `--rev=${BigInt(revision) + 1n}`]);
    const seen = lines(child, /^PUT$/, eventCount);
    const elapsed = await timed(async () => {
      await Promise.all([write(root), seen]);
    });
    child.kill();
    return elapsed;
  };
  console.log(
    figuresText(
      `${eventCount} changes written and told`,
      "ms",
      await medians(
        { "one watch": () => ours(1), "etcdctl watch": theirs, "eight watches": () => ours(8) },
        3,
      ),
    ),
  );
}

const missing = requireTool("etcd", "etcdctl");
if (missing !== false) {
  console.log(`skipped: ${missing}`);
} else {
  await using bed = Testbed.create();
  const { endpoint } = await startEtcd(bed);
  const store = new EtcdStore({ endpoints: [endpoint] });
  await benchList(endpoint, store);
  await benchWrites(endpoint, store);
  await benchWatch(endpoint, store);
  await store.close();
}
