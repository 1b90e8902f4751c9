/**
 * Transit: an external peer announces 100,000 prefixes (0.06 attribute sets for each), the router under test decodes,
 * selects and announces them to another external peer. BIRD 2 and we run one after the other on loopback, each in a
 * process of its own, with the same feeder and the same sink; time is from the first byte fed to the last prefix out,
 * CPU is the router's own.
 */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Ipv4 } from "@caracal/net";
import { Testbed, eventually, freePorts, requireTool } from "@caracal/testbed";
import { type PeerFile, type SpeakerFile } from "../test/speaker-process.ts";
import { countAnnounced, feedBytes, handshake } from "./bgp-client.ts";

const prefixCount = Number(process.env["PREFIXES"] ?? 100_000);
const rounds = 3;

interface Figure {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly megabytes: number;
}

const missing = requireTool("bird");
if (missing === false) await main();
else console.log(`transit: skipped, ${missing}`);

async function main(): Promise<void> {
  const feed = feedBytes(prefixCount);
  const results: Record<"bird" | "caracal", Figure[]> = { bird: [], caracal: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const who of ["bird", "caracal"] as const) results[who].push(await measure(who, feed));
  }
  const [bird, ours] = [median(results.bird), median(results.caracal)];
  const line = (name: string, one: Figure): string =>
    `${name.padEnd(8)} ${one.seconds.toFixed(3)} s, CPU ${one.cpuSeconds.toFixed(2)} s, ${one.megabytes.toFixed(0)} MB`;
  console.log(`transit of ${prefixCount} prefixes, median of ${rounds}`);
  console.log(line("bird", bird));
  console.log(line("caracal", ours));
  console.log(
    `ratio    ${(ours.seconds / bird.seconds).toFixed(2)} × BIRD's time, ${(ours.cpuSeconds / Math.max(bird.cpuSeconds, 0.01)).toFixed(2)} × its CPU`,
  );
}

async function measure(who: "bird" | "caracal", feed: Uint8Array): Promise<Figure> {
  await using bed = Testbed.create();
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no free port");
  const pid = who === "bird" ? await startBird(bed, port) : await startOurs(bed, port);
  const [source, sink] = await Promise.all([
    openSession(port, "127.0.0.1", 65001),
    openSession(port, "127.0.0.3", 65003),
  ]);
  // Time for the routers' own start-up work to be over.
  await sleep(1500);
  const before = cpuSeconds(pid);
  const start = performance.now();
  const done = countAnnounced(sink, prefixCount);
  source.write(feed);
  await done;
  const seconds = (performance.now() - start) / 1000;
  const figure = { seconds, cpuSeconds: cpuSeconds(pid) - before, megabytes: residentMegabytes(pid) };
  source.destroy();
  sink.destroy();
  return figure;
}

async function startBird(bed: Testbed, port: number): Promise<number> {
  const directory = bed.directory("bird");
  const config = join(directory, "bird.conf");
  const peer = (name: string, address: string, asn: number): string => `
protocol bgp ${name} {
  local 127.0.0.2 port ${port} as 65002; neighbor ${address} as ${asn}; multihop; passive on;
  ipv4 { import all; export all; gateway recursive; };
}`;
  writeFileSync(
    config,
    `router id 127.0.0.2;\nprotocol device { }\nprotocol static { ipv4; route 10.9.9.0/24 blackhole; }
${peer("feeder", "127.0.0.1", 65001)}${peer("sink", "127.0.0.3", 65003)}\n`,
  );
  const program = await bed.start(["/usr/sbin/bird", "-f", "-c", config, "-s", join(directory, "ctl")]);
  return program.pid;
}

async function startOurs(bed: Testbed, port: number): Promise<number> {
  const directory = bed.directory("speaker");
  const config = join(directory, "config.json");
  const peer = (name: string, address: string, asn: number): PeerFile => ({
    name,
    address,
    asn,
    passive: true,
    addPath: false,
  });
  const file: SpeakerFile = {
    routerId: "127.0.0.2",
    asn: 65002,
    tellsBestRoutes: false,
    listen: [{ address: "127.0.0.2", port }],
    peers: [peer("feeder", "127.0.0.1", 65001), peer("sink", "127.0.0.3", 65003)],
    origins: [],
  };
  writeFileSync(config, JSON.stringify(file));
  const script = new URL("../test/speaker-process.ts", import.meta.url).pathname;
  const program = await bed.start([process.execPath, script, config, join(directory, "control.sock")]);
  return program.pid;
}

/** Connects until the router has the session up. */
function openSession(port: number, localAddress: string, asn: number): Promise<Socket> {
  return eventually(
    async () => {
      const socket = connect({ host: "127.0.0.2", port, localAddress });
      socket.on("error", () => undefined);
      try {
        await once(socket, "connect");
        await handshake(socket, asn, Ipv4.parse(localAddress) ?? Ipv4.of(1));
        return socket;
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
    { what: `a session from ${localAddress}`, deadlineMs: 20_000, intervalMs: 200 },
  );
}

/** User and system time of a process (proc(5): fields 14 and 15, in hundredths). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMegabytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024;
}

function median(figures: readonly Figure[]): Figure {
  const sorted = figures.toSorted((a, b) => a.seconds - b.seconds);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new RangeError("no figures");
  return middle;
}
