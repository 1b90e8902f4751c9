import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Ipv4 } from "@caracal/net";
import { Testbed, eventually, freePorts } from "@caracal/testbed";
import { countAnnounced, feedBytes, handshake } from "./bgp-client.ts";
import { type BenchPeer, type BenchRouter, bird, caracal, routerAddress } from "./routers.ts";

/** One external peer announces, the others listen. */
export interface Scenario {
  readonly name: string;
  readonly prefixCount: number;
  readonly listeners: readonly BenchPeer[];
}

interface Figure {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** At the peak, and what the process had before it was fed. */
  readonly megabytes: number;
  readonly floorMegabytes: number;
}

const rounds = Number(process.env["ROUNDS"] ?? 3);
const feeder: BenchPeer = { name: "feeder", address: "127.0.0.1", asn: 65_001 };

/** Runs scenarios with BIRD and with us in turn, and prints medians and ratios. */
export async function compare(scenarios: readonly Scenario[]): Promise<void> {
  if (bird.missing !== false) {
    console.log(`skipped: ${bird.missing}`);
    return;
  }
  for (const scenario of scenarios) {
    const feed = feedBytes(scenario.prefixCount);
    const results: { bird: Figure[]; caracal: Figure[] } = { bird: [], caracal: [] };
    for (let round = 0; round < rounds; round += 1) {
      results.bird.push(await measure(bird, scenario, feed));
      results.caracal.push(await measure(caracal, scenario, feed));
    }
    const [theirs, ours] = [median(results.bird), median(results.caracal)];
    console.log(`${scenario.name}, median of ${rounds}`);
    console.log(line("bird", theirs));
    console.log(line("caracal", ours));
    const ratio = (a: number, b: number): string => (a / Math.max(b, 0.01)).toFixed(2);
    console.log(
      `ratio    ${ratio(ours.seconds, theirs.seconds)} × BIRD's time, ${ratio(ours.cpuSeconds, theirs.cpuSeconds)} × its CPU`,
    );
  }
}

function line(name: string, { seconds, cpuSeconds, megabytes, floorMegabytes }: Figure): string {
  const memory = `${megabytes.toFixed(0)} MB (${(megabytes - floorMegabytes).toFixed(0)} above its start)`;
  return `${name.padEnd(8)} ${seconds.toFixed(3)} s, CPU ${cpuSeconds.toFixed(2)} s, ${memory}`;
}

async function measure(router: BenchRouter, scenario: Scenario, feed: Uint8Array): Promise<Figure> {
  await using bed = Testbed.create();
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no free port");
  const pid = await router.start(bed, port, [feeder, ...scenario.listeners]);
  const source = await openSession(port, feeder);
  const sinks = await Promise.all(scenario.listeners.map((peer) => openSession(port, peer)));
  // Time for the routers' own start-up work to be over.
  await sleep(1500);
  const before = cpuSeconds(pid);
  const floorMegabytes = peakMegabytes(pid);
  const start = performance.now();
  const done = Promise.all(sinks.map((sink) => countAnnounced(sink, scenario.prefixCount)));
  source.write(feed);
  await done;
  const seconds = (performance.now() - start) / 1000;
  const figure = {
    seconds,
    cpuSeconds: cpuSeconds(pid) - before,
    megabytes: peakMegabytes(pid),
    floorMegabytes,
  };
  for (const socket of [source, ...sinks]) socket.destroy();
  return figure;
}

/** Connects until the router has the session up. */
function openSession(port: number, { address, asn }: BenchPeer): Promise<Socket> {
  return eventually(
    async () => {
      const socket = connect({ host: routerAddress, port, localAddress: address });
      socket.on("error", () => undefined);
      try {
        await once(socket, "connect");
        await handshake(socket, asn, Ipv4.parse(address) ?? Ipv4.of(1));
        return socket;
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
    { what: `a session from ${address}`, deadlineMs: 20_000, intervalMs: 200 },
  );
}

/** User and system time of a process (proc(5): fields 14 and 15, in hundredths). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function peakMegabytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024;
}

function median(figures: readonly Figure[]): Figure {
  const sorted = figures.toSorted((a, b) => a.seconds - b.seconds);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new RangeError("no figures");
  return middle;
}
