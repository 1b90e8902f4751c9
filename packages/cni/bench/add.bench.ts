// Start-up of the plugin in its forms, then whole ADDs and DELs alone and 50 at a time, against Debian's `ptp` with `host-local` in the
// same run; at last 1,000 pods on the one node, added and deleted, and what is left behind then (nothing). Caracal is the whole of
// it, `caracal datastore serve` and `caracal node run`. Both peers run in one node namespace on pods that are namespaces; rounds
// alternate. All of it is removed at the end.
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { keys } from "@caracal/datastore";
import { readSnapshot } from "@caracal/ipam";
import {
  createNamespace,
  deleteNamespace,
  namespacePath,
  Rtnetlink,
  spawnInNamespace,
  withNamespace,
} from "@caracal/linux";
import { Ipv4 } from "@caracal/net";
import { EtcdStore } from "@caracal/store-etcd";
import { buildPlugins } from "../src/index.ts";
import { type CallVariables, Launcher } from "./launcher.ts";

const referencePlugins = "/usr/lib/cni";
const caracal = resolve(import.meta.dirname, "../../../caracal");
/** How long datastore and daemon may take to start. */
const startMostMs = 30_000;
const startRounds = 60;
/** Before the first round: what a daemon loads with its first pods it does not load again. */
const warmUpRounds = 5;
const aloneRounds = 100;
const crowd = 50;
const crowdRounds = 5;
const thousand = 1_000;

const prefix = `cb${process.pid}`;
const directory = mkdtempSync(join(tmpdir(), "caracal-bench-"));
const nodePath = namespacePath(`${prefix}-node`);
const made: string[] = [];

/** A plugin and its configuration, as a runtime would call it. */
interface Contender {
  readonly name: string;
  readonly program: string;
  readonly stdin: string;
}

function namespace(name: string): void {
  createNamespace(`${prefix}-${name}`);
  made.push(`${prefix}-${name}`);
}

const environment = { CNI_IFNAME: "eth0", CNI_PATH: referencePlugins };

function variables(command: string, pod: number): CallVariables {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: `${prefix}pod${pod}`,
    CNI_NETNS: namespacePath(`${prefix}-pod${pod}`),
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-${pod}`,
  };
}

/** Milliseconds of one call. */
function timed(contender: Contender, command: string, pod: number): number {
  return withNamespace(nodePath, () => {
    const start = performance.now();
    const env = { ...environment, ...variables(command, pod) };
    const options = { env, input: contender.stdin, encoding: "utf8" } as const;
    const { status, stdout } = spawnSync(contender.program, options);
    const took = performance.now() - start;
    if (status !== 0) throw new Error(`${contender.name} ${command}: ${stdout}`);
    return took;
  });
}

/** Calls of many pods, a crowd at a time. */
interface Crowd {
  readonly callsPerSecond: number;
  /** Milliseconds of each call, from when it was asked for. */
  readonly took: readonly number[];
}

async function callAll(contender: Contender, command: string, count: number): Promise<Crowd> {
  const configuration = join(directory, `${contender.name}.json`);
  writeFileSync(configuration, contender.stdin);
  const { program } = contender;
  await using launcher = new Launcher({ namespace: nodePath, program, configuration, environment });
  const took: number[] = [];
  const start = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let pod = next++; pod < count; pod = next++) {
      const asked = performance.now();
      const status = await launcher.call(variables(command, pod));
      if (status !== 0) throw new Error(`${contender.name} ${command} of pod ${pod} failed`);
      took.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: crowd }, lane));
  return { callsPerSecond: (count * 1000) / (performance.now() - start), took };
}

/** A full node, then an empty one. */
async function measureThousand(contender: Contender, daemon: number): Promise<void> {
  for (let pod = crowd; pod < thousand; pod += 1) namespace(`pod${pod}`);
  const before = await leftBehind();
  const memoryBefore = residentMb(daemon);
  const added = await callAll(contender, "ADD", thousand);
  const full = await leftBehind();
  const memoryFull = residentMb(daemon);
  const deleted = await callAll(contender, "DEL", thousand);
  const after = await leftBehind();
  const rate = ({ callsPerSecond }: Crowd): string => `${callsPerSecond.toFixed(0)} /s`;
  console.log(`\n${thousand} pods on one node, ${crowd} at a time`);
  const hundreds = [added.took.slice(0, 100), added.took.slice(-100)];
  const [first, last] = hundreds.map((took) => `${quantile(took, 0.5).toFixed(0)} ms`);
  console.log(`ADD   ${rate(added)}   interfaces, endpoints, handles and addresses ${full.join(", ")}`);
  console.log(`      median of the first hundred calls ${first}, of the last hundred ${last}`);
  console.log(`      memory of the daemon ${memoryBefore} MB before, ${memoryFull} MB with all`);
  console.log(`DEL   ${rate(deleted)}   left behind ${after.join(", ")}`);
  if (after.join() !== before.join())
    throw new Error(`${after.join()} were left behind, ${before.join()} before`);
}

/** Pods' interfaces on the node, and endpoints, handles and addresses in the datastore. */
async function leftBehind(): Promise<readonly number[]> {
  using rtnetlink = Rtnetlink.open(nodePath);
  const interfaces = rtnetlink.links().filter(({ name }) => name.startsWith("cali")).length;
  const store = new EtcdStore({ endpoints: [`unix://${join(directory, "store.sock")}`] });
  const endpoints = await store.list(keys.resources("workloadendpoints"));
  const { blocks, handles } = readSnapshot((await store.list(`${keys.root}ipam/`)).entries);
  await store.close();
  const taken = blocks.flatMap(({ record }) => record.allocations.filter((slot) => slot !== null)).length;
  return [interfaces, endpoints.entries.length, handles.length, taken];
}

function residentMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

function quantile(values: readonly number[], at: number): number {
  const place = Math.min(Math.floor(values.length * at), values.length - 1);
  return values.toSorted((a, b) => a - b)[place] ?? Number.NaN;
}

function row(name: string, values: readonly number[], peer?: readonly number[]): void {
  // On a machine with other work the best tenth says what a call takes, the median what it waits besides.
  const [p10, p50, p99] = [0.1, 0.5, 0.99].map((at) => quantile(values, at).toFixed(2).padStart(6));
  const ratioAt = (at: number): string =>
    peer === undefined ? "" : (quantile(values, at) / quantile(peer, at)).toFixed(2);
  const ratio =
    peer === undefined ? "" : `   p10 ${ratioAt(0.1)}, median ${ratioAt(0.5)}, p99 ${ratioAt(0.99)} × ptp`;
  const figures = `p10 ${p10} ms   median ${p50} ms   p99 ${p99} ms`;
  console.log(`${name.padEnd(29)} ${figures}${ratio}`);
}

function measureStart(): void {
  const native = buildPlugins({ output: join(directory, "native") });
  const node = buildPlugins({ output: join(directory, "node"), form: "node" });
  const contenders = [
    ["/bin/true", "/bin/true"],
    [`calico (${native.form})`, join(native.directory, "calico")],
    ["calico (node)", join(node.directory, "calico")],
    ["ptp", join(referencePlugins, "ptp")],
  ] as const;
  console.log("start-up: VERSION, process start and end included");
  const took = contenders.map((): number[] => []);
  for (let round = 0; round < startRounds; round += 1) {
    for (const [index, [name, program]] of contenders.entries()) {
      took[index]?.push(timed({ name, program, stdin: `{"cniVersion":"1.0.0"}` }, "VERSION", 0));
    }
  }
  for (const [index, [name]] of contenders.entries()) row(name, took[index] ?? []);
}

function measureAlone(contenders: readonly [Contender, Contender]): void {
  for (let round = 0; round < warmUpRounds; round += 1) {
    for (const contender of contenders) for (const command of ["ADD", "DEL"]) timed(contender, command, 0);
  }
  const took = contenders.map((): { add: number[]; del: number[] } => ({ add: [], del: [] }));
  for (let round = 0; round < aloneRounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      took[index]?.add.push(timed(contender, "ADD", 0));
      took[index]?.del.push(timed(contender, "DEL", 0));
    }
  }
  const [own, peer] = took;
  console.log(`\nalone, ${aloneRounds} rounds`);
  row("calico ADD", own?.add ?? [], peer?.add);
  row("ptp + host-local ADD", peer?.add ?? []);
  row("calico DEL", own?.del ?? [], peer?.del);
  row("ptp + host-local DEL", peer?.del ?? []);
}

async function measureCrowd(contenders: readonly [Contender, Contender]): Promise<void> {
  const rounds = contenders.map((): { ADD: Crowd[]; DEL: Crowd[] } => ({ ADD: [], DEL: [] }));
  for (let round = 0; round < crowdRounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      rounds[index]?.ADD.push(await callAll(contender, "ADD", crowd));
      rounds[index]?.DEL.push(await callAll(contender, "DEL", crowd));
    }
  }
  const [own, peer] = rounds;
  console.log(`\n${crowd} at a time, best and median of ${crowdRounds} rounds`);
  for (const command of ["ADD", "DEL"] as const) {
    const [mine, theirs] = [own?.[command] ?? [], peer?.[command] ?? []];
    const rates = [mine, theirs].map((side) => side.map(({ callsPerSecond }) => callsPerSecond));
    for (const [name, at] of [
      ["best", 1],
      ["median", 0.5],
    ] as const) {
      const [a = Number.NaN, b = Number.NaN] = rates.map((side) => quantile(side, at));
      const shown = `calico ${a.toFixed(0)} /s   ptp + host-local ${b.toFixed(0)} /s`;
      console.log(`${command}   ${name.padEnd(6)}   ${shown}   ${(a / b).toFixed(2)} × ptp`);
    }
    const calls = [mine, theirs].map((side) => side.flatMap(({ took }) => took));
    row(`calico ${command}, each`, calls[0] ?? [], calls[1]);
    row(`ptp + host-local ${command}, each`, calls[1] ?? []);
  }
}

/** Starts Caracal in the node's namespace, and waits until its output says that it is ready. */
async function startCaracal(
  name: string,
  argv: readonly string[],
  ready: string,
  variables: NodeJS.ProcessEnv = {},
): Promise<ChildProcess> {
  const output = join(directory, `${name}.log`);
  const file = openSync(output, "w");
  const env = { ...process.env, ...variables };
  const child = spawnInNamespace(nodePath, caracal, argv, { env, stdio: ["ignore", file, file] });
  closeSync(file);
  const until = performance.now() + startMostMs;
  while (!readFileSync(output, "utf8").includes(ready)) {
    if (child.exitCode !== null || performance.now() > until)
      throw new Error(`${name} did not start:\n${readFileSync(output, "utf8")}`);
    await delay(50);
  }
  return child;
}

/** As on a node: the datastore and the whole daemon, each a process of its own, and told to whoever ends them. */
async function startNode(processes: ChildProcess[]): Promise<void> {
  using rtnetlink = Rtnetlink.open(nodePath);
  rtnetlink.addVeth({ name: "eth0", up: true }, { name: "uplink", up: true });
  const interfaceIndex = rtnetlink.link("eth0")?.index ?? 0;
  rtnetlink.addAddress({ interfaceIndex, address: Ipv4.of(0xac120002), prefixLength: 16 });
  const store = `unix:${join(directory, "store.sock")}`;
  const serve = ["datastore", "serve", "--data", join(directory, "store"), "--listen", store];
  processes.push(await startCaracal("datastore", serve, "Datastore ready"));
  const variables = {
    ETCD_ENDPOINTS: `unix://${join(directory, "store.sock")}`,
    NODENAME: "bench",
    CARACAL_RUN_DIR: directory,
    CARACAL_LIB_DIR: join(directory, "lib"),
    CALICO_IPV4POOL_CIDR: "10.244.0.0/16",
  };
  processes.push(await startCaracal("node", ["node", "run"], "node started", variables));
}

async function main(): Promise<void> {
  if (!existsSync(join(referencePlugins, "ptp"))) {
    console.log("skipped: ptp is not installed (containernetworking-plugins)");
    return;
  }
  namespace("node");
  for (let pod = 0; pod < crowd; pod += 1) namespace(`pod${pod}`);
  for (const name of made) {
    using rtnetlink = Rtnetlink.open(namespacePath(name));
    rtnetlink.setLink("lo", { up: true });
  }
  measureStart();
  const processes: ChildProcess[] = [];
  try {
    await startNode(processes);
    const shared = { cniVersion: "1.0.0", name: "bench" };
    const contenders: readonly [Contender, Contender] = [
      {
        name: "calico",
        program: join(buildPlugins().directory, "calico"),
        stdin: JSON.stringify({
          ...shared,
          type: "calico",
          caracal_run_dir: directory,
          ipam: { type: "calico-ipam" },
        }),
      },
      {
        name: "ptp",
        program: join(referencePlugins, "ptp"),
        stdin: JSON.stringify({
          ...shared,
          type: "ptp",
          ipam: { type: "host-local", subnet: "10.99.0.0/16", dataDir: join(directory, "host-local") },
        }),
      },
    ];
    measureAlone(contenders);
    await measureCrowd(contenders);
    await measureThousand(contenders[0], processes.at(-1)?.pid ?? 0);
  } finally {
    for (const child of processes.toReversed()) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
  }
}

try {
  await main();
} finally {
  for (const name of made) deleteNamespace(name);
  rmSync(directory, { recursive: true, force: true });
}
