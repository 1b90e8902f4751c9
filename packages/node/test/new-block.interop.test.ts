/**
 * Aim: on a Kubernetes API server a block more costs a node's pod three round trips and nothing is read for it, however full the
 * pool is; while the watches are not in sync the records are read. Method: the daemon's own IPAM and view of the cluster, and on
 * the way to a real API server a proxy that lets what was asked together through together, and writes down what that was.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { request } from "node:https";
import { after, before, describe, test } from "node:test";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { keys } from "@caracal/datastore";
import type { Ipam } from "@caracal/ipam";
import { crdDocuments, KubernetesStore } from "@caracal/store-kubernetes";
import {
  eventually,
  type KubeApiserver,
  requireKubeApiserver,
  requireTool,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";
import { ClusterView } from "../src/cluster/cluster-view.ts";
import { openWatchedIpam } from "../src/endpoints/watched-ipam.ts";

const skip = requireKubeApiserver() || requireTool("etcd", "openssl");

/** What comes within this time after the first is one round trip; far longer than what is asked at once needs to arrive. */
const gatherMs = 200;
/** Turns of the event loop after that: a machine that stood still for longer has what came meanwhile read in them. */
const gatherTurns = 10;

/** Requests about IPAM's records, those of one round trip together; others, and watches, pass unseen. */
class Road {
  readonly #server: KubeApiserver;
  readonly #proxy = createServer((asked, answer) => void this.#pass(asked, answer));
  #trips: string[][] = [];
  #open: { readonly trip: string[]; readonly gone: Promise<void> } | undefined;

  constructor(server: KubeApiserver) {
    this.#server = server;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#proxy.listen(0, "127.0.0.1", resolve));
    const address = this.#proxy.address();
    assert.ok(typeof address === "object" && address !== null);
    return `http://127.0.0.1:${address.port}`;
  }

  /** The round trips since the last time. */
  take(): readonly (readonly string[])[] {
    const trips = this.#trips.map((trip) => trip.toSorted());
    this.#trips = [];
    return trips;
  }

  close(): void {
    this.#proxy.close();
    this.#proxy.closeAllConnections();
  }

  async #pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = asked;
    const kind = /\/(ipamblocks|blockaffinities|ipamhandles)\b/.exec(url)?.[1];
    if (kind !== undefined && !url.includes("watch=1")) await this.#gather(`${method} ${kind}`);
    const { url: to, ca } = this.#server;
    const onward = request(`${to}${url}`, { method, headers, ca }, (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers);
      given.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  }

  async #gather(what: string): Promise<void> {
    if (this.#open === undefined) {
      const trip: string[] = [];
      this.#trips.push(trip);
      this.#open = { trip, gone: this.#end() };
    }
    const { trip, gone } = this.#open;
    trip.push(what);
    await gone;
  }

  async #end(): Promise<void> {
    await delay(gatherMs);
    for (let index = 0; index < gatherTurns; index += 1) await turn();
    this.#open = undefined;
  }
}

/** Both at once, then one after the other. */
const claim = [["POST blockaffinities", "POST ipamhandles"], ["POST ipamblocks"], ["PUT blockaffinities"]];

describe("a new block on Kubernetes", { skip }, () => {
  const bed = Testbed.create();
  const stop = new AbortController();
  const closing: (() => Promise<void> | void)[] = [];
  let road: Road | undefined;
  let open: (isDirect?: boolean) => KubernetesStore;

  before(async () => {
    const server = await startKubeApiserver(bed, { definitions: crdDocuments("crd.projectcalico.org") });
    road = new Road(server);
    const url = await road.listen();
    const present = async () => ({ authorization: `Bearer ${server.token}` });
    open = (isDirect = false) => {
      const store = new KubernetesStore({
        server: {
          url: isDirect ? server.url : url,
          ca: server.ca,
          credentials: { present, forget: () => undefined },
        },
      });
      closing.push(() => store.close());
      return store;
    };
    // 64 blocks of four addresses.
    const spec = { cidr: "10.77.0.0/24", blockSize: 30, nodeSelector: "all()", allowedUses: ["Workload"] };
    const config = '{"strict_affinity":true,"auto_allocate_blocks":true,"maxBlocksPerHost":100}';
    await open(true).create(keys.ipamConfig, config);
    const metadata = { name: "small" };
    const pool = { kind: "IPPool", apiVersion: "projectcalico.org/v3", metadata, spec };
    await open(true).create(keys.resource("ippools", "small"), JSON.stringify(pool));
  });

  after(async () => {
    stop.abort();
    for (const close of closing) await close();
    road?.close();
    await bed.close();
  });

  /** A node's IPAM, once all its watches are in sync. */
  async function nodeOf(name: string): Promise<{ readonly ipam: Ipam; readonly view: ClusterView }> {
    const store = open();
    const view = new ClusterView({ node: name, store, onChange: () => undefined, onStatus: () => undefined });
    const { ipam, settings } = openWatchedIpam({ store, node: name, view });
    const running = [view.run(stop.signal), settings.run(stop.signal)];
    closing.unshift(async () => void (await Promise.all(running)));
    await eventually(() => view.isCurrent, { what: "watches in sync" });
    return { ipam, view };
  }

  async function assign(ipam: Ipam, handle: string, count = 1): Promise<number> {
    const result = await ipam.assign({ family: 4, handle, attributes: {}, count });
    return result.kind === "refused" ? 0 : result.claimed.length;
  }

  async function untilTold(view: ClusterView, count: number): Promise<void> {
    await eventually(() => view.ipam.blocks?.size === count, { what: `a view of ${count} blocks` });
  }

  test("costs three round trips, for the first address and for the next block, with nothing read", async () => {
    assert.ok(road !== undefined);
    const { ipam, view } = await nodeOf("node-a");
    // The settings are read once.
    await ipam.usage();
    road.take();
    assert.equal(await assign(ipam, "net.first"), 1);
    assert.deepEqual(road.take(), claim);
    assert.equal(await assign(ipam, "net.rest", 3), 0);
    road.take();
    // Whether or not the watches have told of it.
    assert.equal(await assign(ipam, "net.next", 4), 1);
    assert.deepEqual(road.take(), claim);
    await untilTold(view, 2);
    assert.equal(await assign(ipam, "net.third", 4), 1);
    assert.deepEqual(road.take(), claim);

    // Another process of the node, which has seen none of that happen.
    const successor = await nodeOf("node-a");
    await untilTold(successor.view, 3);
    await successor.ipam.usage();
    road.take();
    assert.equal(await assign(successor.ipam, "net.fourth"), 1);
    assert.deepEqual(road.take(), claim);
    assert.equal(await assign(successor.ipam, "net.fifth"), 0);
    assert.equal(road.take().length, 2);
    assert.deepEqual(await ipam.check(), []);
  });

  test("costs no more when half of the pool is taken, and when one block is left", async () => {
    assert.ok(road !== undefined);
    const unwatched = { ipam: { blocks: undefined, affinities: undefined } };
    const { ipam: filler } = openWatchedIpam({ store: open(true), node: "node-filler", view: unwatched });
    for (const [node, taken] of [
      ["node-half", 28],
      ["node-last", 30],
    ] as const) {
      assert.equal(await assign(filler, `net.${node}-filler`, taken * 4), taken);
      const { ipam, view } = await nodeOf(node);
      await untilTold(view, node === "node-half" ? 32 : 63);
      await ipam.usage();
      road.take();
      assert.equal(await assign(ipam, `net.${node}`), 1);
      assert.deepEqual(road.take(), claim);
    }
  });

  test("while nothing is watched, the node's blocks and all others are read at once before", async () => {
    assert.ok(road !== undefined);
    const store = open();
    const view = { ipam: { blocks: undefined, affinities: undefined } };
    const { ipam } = openWatchedIpam({ store, node: "node-a", view });
    await ipam.usage();
    road.take();
    assert.equal(await assign(ipam, "net.unseen"), 0);
    const [reading, ...writing] = road.take();
    assert.deepEqual(reading, ["GET blockaffinities", "GET ipamblocks"]);
    assert.equal(writing.length, 2);
  });
});
