import { setTimeout as sleep } from "node:timers/promises";
import { Testbed, eventually, freePorts } from "@caracal/testbed";
import { BenchClient } from "./bench-client.ts";
import { isComplete, isQuick, isWanted, roundCount, wantedRouters } from "./options.ts";
import { RouterProcess } from "./router-process.ts";
import { type BenchPeer, type BenchRouter, carries6, routers } from "./routers.ts";

/** Brings a neighbour's session up. */
export type Connect = (peer: BenchPeer) => Promise<BenchClient>;

/** What is measured: an act whose time counts, after preparations whose time does not. */
export interface Scenario {
  readonly name: string;
  /** All that the router under test is configured with. */
  readonly peers: readonly BenchPeer[];
  /** Prefixes in the table at the end. */
  readonly prefixCount: number;
  /** Prefixes that the router tells, all peers together. */
  readonly toldCount: number;
  /** Brings up what shall be up before, and gives the act; that may say what time counts instead of its own. */
  readonly prepare: (connect: Connect) => Promise<() => Promise<number | void>>;
}

interface Figure {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMegabytes: number;
  /** Above what the process had before the act, for each prefix in the table. */
  readonly bytesPerPrefix: number;
}

/** For routers' own work after the start, and for sessions to settle. */
const settleMs = 1500;
const connectDeadlineMs = 60_000;
/** BIRD lets eight wait to be accepted; the system makes others try again a second later. */
const connectingAtOnce = 8;
/** Longer is taken for a router that hangs. */
const actDeadlineMs = 600_000;

/** Runs a scenario with every router in turn, and prints medians and ratios to the first one. */
export async function compare(scenario: Scenario): Promise<void> {
  if (!isWanted(scenario.name)) return;
  console.log(`\n${scenario.name}, median of ${roundCount}`);
  const runnable = wantedRouters(routers).filter((router) => mayRun(router, scenario));
  const figures = new Map<BenchRouter, Figure[]>(runnable.map((router) => [router, []]));
  for (let round = 0; round < roundCount; round += 1) {
    for (const [router, list] of figures) {
      try {
        list.push(await measure(router, scenario));
      } catch (error) {
        figures.delete(router);
        console.log(
          `${router.name.padEnd(9)} failed: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
  }
  let basis: { readonly name: string; readonly figure: Figure } | undefined;
  for (const [{ name }, list] of figures) {
    const figure = medians(list);
    basis ??= { name, figure };
    console.log(line(name, figure, basis));
  }
}

function mayRun(router: BenchRouter, { toldCount, peers }: Scenario): boolean {
  const name = router.name.padEnd(9);
  if (router.missing !== false) {
    console.log(`${name} skipped: ${router.missing}`);
    return false;
  }
  if (peers.some(carries6) && router.carries6 !== true) {
    console.log(`${name} left out: not set up for IPv6 here`);
    return false;
  }
  if (toldCount <= router.mostTold || isComplete) return true;
  console.log(`${name} left out: too slow for this size unless asked for with --all`);
  return false;
}

function line(
  name: string,
  figure: Figure,
  basis: { readonly name: string; readonly figure: Figure },
): string {
  const { seconds, cpuSeconds, peakMegabytes, bytesPerPrefix } = figure;
  const columns = [
    name.padEnd(9),
    `${seconds.toFixed(3).padStart(8)} s`,
    `CPU ${cpuSeconds.toFixed(3).padStart(7)} s`,
    `peak ${peakMegabytes.toFixed(0).padStart(5)} MB`,
    `${bytesPerPrefix.toFixed(0).padStart(5)} B/prefix`,
  ];
  if (basis.figure !== figure) {
    const ratio = (a: number, b: number): string => (a / Math.max(b, 0.0001)).toFixed(2);
    columns.push(
      `${ratio(seconds, basis.figure.seconds)} × ${basis.name}'s time, ${ratio(cpuSeconds, basis.figure.cpuSeconds)} × its CPU`,
    );
  }
  return columns.join("  ");
}

async function measure(router: BenchRouter, scenario: Scenario): Promise<Figure> {
  await using bed = Testbed.create();
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no free port");
  const pid = await router.start(bed, port, scenario.peers);
  const clients: BenchClient[] = [];
  bed.defer(() => {
    for (const client of clients) client.close();
  });
  const gate = new Gate(connectingAtOnce);
  const act = await scenario.prepare((peer) =>
    gate.run(async () => {
      const client = await openSession(peer, port);
      clients.push(client);
      return client;
    }),
  );
  await sleep(settleMs);
  const usage = new RouterProcess(pid);
  const floorBytes = usage.residentBytes();
  const cpuBefore = usage.cpuSeconds();
  const start = performance.now();
  const ownSeconds = await Promise.race([act(), overdue(scenario)]);
  const seconds = ownSeconds ?? (performance.now() - start) / 1000;
  const peakBytes = usage.peakBytes();
  return {
    seconds,
    cpuSeconds: usage.cpuSeconds() - cpuBefore,
    peakMegabytes: peakBytes / 1e6,
    bytesPerPrefix: Math.max(0, peakBytes - floorBytes) / scenario.prefixCount,
  };
}

async function overdue({ name }: Scenario): Promise<never> {
  await sleep(actDeadlineMs, undefined, { ref: false });
  throw new Error(`${name} takes longer than ${actDeadlineMs / 1000} s`);
}

/** Connects until the router has the session up. */
function openSession(peer: BenchPeer, port: number): Promise<BenchClient> {
  return eventually(
    async () => {
      const client = new BenchClient(peer, port);
      try {
        await client.whenEstablished();
        return client;
      } catch (error) {
        client.close();
        throw error;
      }
    },
    { what: `a session from ${peer.address}`, deadlineMs: connectDeadlineMs, intervalMs: isQuick ? 50 : 200 },
  );
}

/** Lets some in at a time, in the order in which they came. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

function medians(figures: readonly Figure[]): Figure {
  const median = (field: keyof Figure): number => {
    const values = figures.map((figure) => figure[field]).toSorted((a, b) => a - b);
    return values[values.length >> 1] ?? Number.NaN;
  };
  return {
    seconds: median("seconds"),
    cpuSeconds: median("cpuSeconds"),
    peakMegabytes: median("peakMegabytes"),
    bytesPerPrefix: median("bytesPerPrefix"),
  };
}
