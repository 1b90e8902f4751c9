/**
 * What our client costs beside others on the same real Kubernetes API server: a listing of 10,000 resources and their decoding against
 * `kubectl get` and plain HTTPS; creates one after another and sixteen at a time against plain HTTPS; changes told to a watch of one
 * kind and to one of all kinds, against `kubectl get --watch` and plain HTTPS. Rounds alternate; medians.
 *
 *     KUBE_APISERVER=$(scripts/kube-apiserver.sh) npm run bench -- store-kubernetes
 *
 * `--quick` makes a tenth of it, to see that it works.
 */
import { spawn } from "node:child_process";
import { Agent, request as openRequest } from "node:https";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { keys, readResource, type Store } from "@caracal/datastore";
import {
  figuresText,
  inParallel,
  type KubeApiserver,
  medians,
  rateOf,
  requireKubeApiserver,
  requireTool,
  startKubeApiserver,
  Testbed,
  timed,
} from "@caracal/testbed";
import { crdDocuments, openKubernetesStore } from "../src/index.ts";

const isQuick = process.argv.includes("--quick");
const rounds = isQuick ? 1 : 3;
const resourceCount = isQuick ? 1_000 : 10_000;
const writeMs = isQuick ? 500 : 2_000;
const eventCount = isQuick ? 200 : 2_000;
const writers = 16;
const group = "crd.projectcalico.org";
const path = `/apis/${group}/v1/globalnetworksets`;
const prefix = keys.resources("globalnetworksets");
const everything = keys.root;

const spec = { nets: ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"] };

function document(name: string): string {
  return JSON.stringify({
    kind: "GlobalNetworkSet",
    apiVersion: "projectcalico.org/v3",
    metadata: { name, labels: { app: "web" } },
    spec,
  });
}

function object(name: string): string {
  return JSON.stringify({
    apiVersion: `${group}/v1`,
    kind: "GlobalNetworkSet",
    metadata: { name, labels: { app: "web" } },
    spec,
  });
}

/** HTTPS as Node's own documentation has it, over kept connections. */
class PlainClient {
  readonly #server: KubeApiserver;
  readonly #agent: Agent;

  constructor(server: KubeApiserver) {
    this.#server = server;
    this.#agent = new Agent({ keepAlive: true, ca: server.ca });
  }

  open(method: string, target: string, body?: string): Promise<Readable> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#server.token}`, "content-type": "application/json" };
      const options = { method, headers, agent: this.#agent };
      const request = openRequest(`${this.#server.url}${target}`, options, (answer) => {
        if ((answer.statusCode ?? 500) < 300) resolve(answer);
        else reject(new Error(`${method} ${target}: ${answer.statusCode}`));
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  async json(method: string, target: string, body?: string): Promise<unknown> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.open(method, target, body)) chunks.push(Buffer.from(chunk));
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    return value;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function kubectl(server: KubeApiserver, args: readonly string[]) {
  return spawn("kubectl", args, {
    env: { ...process.env, KUBECONFIG: server.kubeconfig },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Resolves when a text has had so many lines that match. */
async function untilLines(input: Readable, matches: RegExp, count: number): Promise<void> {
  let seen = 0;
  for await (const line of createInterface({ input })) {
    if (matches.test(line)) seen += 1;
    if (seen === count) return;
  }
}

async function benchList(server: KubeApiserver, store: Store, plain: PlainClient): Promise<void> {
  await inParallel(resourceCount, writers, async (index) => {
    await plain.json("POST", path, object(`set-${index}`));
  });
  const figures = await medians(
    {
      "decoded by us": () =>
        timed(async () => {
          const { entries } = await store.list(prefix);
          const read = entries.filter((entry) => readResource("GlobalNetworkSet", entry) !== undefined);
          if (read.length !== resourceCount) throw new Error(`${read.length} resources read`);
        }),
      "kubectl get": () =>
        timed(async () => {
          const child = kubectl(server, ["get", `globalnetworksets.${group}`, "-o", "json"]);
          await untilLines(child.stdout, /^ {12}"kind": "GlobalNetworkSet"/, resourceCount);
          child.kill();
        }),
      "plain HTTPS, parsed": () =>
        timed(async () => {
          await plain.json("GET", path);
        }),
    },
    rounds,
  );
  console.log(figuresText(`list of ${resourceCount} resources`, "ms", figures));
}

async function benchWrites(store: Store, plain: PlainClient): Promise<void> {
  let serial = 0;
  const rate = (workers: number, write: (name: string) => Promise<unknown>): Promise<number> =>
    rateOf(workers, writeMs, async () => {
      serial += 1;
      await write(`written-${serial}`);
    });
  for (const workers of [1, writers]) {
    const figures = await medians(
      {
        ours: () => rate(workers, (name) => store.create(`${prefix}${name}`, document(name))),
        "plain HTTPS": () => rate(workers, (name) => plain.json("POST", path, object(name))),
      },
      rounds,
    );
    console.log(figuresText(`creates, ${workers} at a time, one client`, "/s", figures));
  }
}

async function benchWatch(server: KubeApiserver, store: Store, plain: PlainClient): Promise<void> {
  let round = 0;
  /** Makes the changes, and waits until they have been told. */
  const told = async (hear: (name: string) => Promise<{ readonly done: Promise<void> }>): Promise<number> => {
    round += 1;
    const name = `told-${round}`;
    const { done } = await hear(name);
    return timed(async () => {
      const written = inParallel(eventCount, writers, async (index) => {
        await plain.json("POST", path, object(`${name}-${index}`));
      });
      await Promise.all([written, done]);
    });
  };
  const ours = (root: string) => (name: string) => watchOurs(store, root, `${prefix}${name}-`);
  const figures = await medians(
    {
      "our watch of one kind": () => told(ours(prefix)),
      "our watch of all kinds": () => told(ours(everything)),
      "kubectl get --watch": () => told((name) => watchKubectl(server, name)),
      "plain HTTPS": () => told((name) => watchPlain(plain, name)),
    },
    rounds,
  );
  console.log(figuresText(`${eventCount} changes written and told`, "ms", figures));
}

async function watchOurs(
  store: Store,
  root: string,
  start: string,
): Promise<{ readonly done: Promise<void> }> {
  const { revision } = await store.list(root);
  const stop = new AbortController();
  const hear = async (): Promise<void> => {
    let seen = 0;
    for await (const batch of store.watch(root, revision, stop.signal)) {
      seen += batch.filter((event) => event.kind === "put" && event.entry.key.startsWith(start)).length;
      if (seen >= eventCount) return stop.abort();
    }
  };
  return { done: hear() };
}

async function watchKubectl(server: KubeApiserver, name: string): Promise<{ readonly done: Promise<void> }> {
  const child = kubectl(server, ["get", `globalnetworksets.${group}`, "--watch-only", "-o", "name"]);
  // It takes a while to connect, and does not tell when it has.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  return {
    done: untilLines(child.stdout, new RegExp(`/${name}-`), eventCount).then(() => void child.kill()),
  };
}

async function watchPlain(plain: PlainClient, name: string): Promise<{ readonly done: Promise<void> }> {
  const list = await plain.json("GET", `${path}?limit=1`);
  const version = /"resourceVersion":"(\d+)"/.exec(JSON.stringify(Object(list).metadata))?.[1] ?? "0";
  const stream = await plain.open("GET", `${path}?watch=true&resourceVersion=${version}`);
  return {
    done: untilLines(stream, new RegExp(`"name":"${name}-`), eventCount).then(() => void stream.destroy()),
  };
}

const missing = requireKubeApiserver() || requireTool("etcd", "openssl", "kubectl");
if (missing !== false) {
  console.log(`skipped: ${missing}`);
} else {
  await using bed = Testbed.create();
  const server = await startKubeApiserver(bed, { definitions: crdDocuments(group) });
  const store = await openKubernetesStore({ KUBECONFIG: server.kubeconfig });
  const plain = new PlainClient(server);
  await benchList(server, store, plain);
  await benchWrites(store, plain);
  await benchWatch(server, store, plain);
  plain.close();
  await store.close();
}
