// Start-up of the plugin in its forms, then whole ADDs and DELs alone and 50 at a time, against Debian's `ptp` with `host-local` in the
// same run; at last 1,000 pods on the one node, added and deleted, and what is left behind then (nothing). Both run in one node namespace on pods that are namespaces; rounds alternate. All of it is removed at the end.
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { EtcdStore } from "@caracal/store-etcd";
import { buildPlugins } from "../src/index.ts";

const referencePlugins = "/usr/lib/cni";
const startRounds = 60;
const aloneRounds = 100;
const crowd = 50;
const crowdRounds = 3;
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

function environment(command: string, pod: number): NodeJS.ProcessEnv {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: `${prefix}pod${pod}`,
    CNI_NETNS: namespacePath(`${prefix}-pod${pod}`),
    CNI_IFNAME: "eth0",
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-${pod}`,
    CNI_PATH: referencePlugins,
  };
}

/** Milliseconds of one call. */
function timed(contender: Contender, command: string, pod: number): number {
  return withNamespace(nodePath, () => {
    const start = performance.now();
    const options = { env: environment(command, pod), input: contender.stdin, encoding: "utf8" } as const;
    const { status, stdout } = spawnSync(contender.program, options);
    const took = performance.now() - start;
    if (status !== 0) throw new Error(`${contender.name} ${command}: ${stdout}`);
    return took;
  });
}

async function call(contender: Contender, command: string, pod: number): Promise<void> {
  const child: ChildProcess = spawnInNamespace(nodePath, contender.program, [], {
    env: environment(command, pod),
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.stdin?.end(contender.stdin);
  const [status]: unknown[] = await once(child, "exit");
  if (status !== 0) throw new Error(`${contender.name} ${command} of pod ${pod} failed`);
}

/** Every pod up to `count`, a crowd at a time; calls a second. */
async function callAll(contender: Contender, command: string, count: number): Promise<number> {
  const start = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let pod = next++; pod < count; pod = next++) await call(contender, command, pod);
  };
  await Promise.all(Array.from({ length: crowd }, lane));
  return (count * 1000) / (performance.now() - start);
}

/** A full node, then an empty one. */
async function measureThousand(contender: Contender): Promise<void> {
  for (let pod = crowd; pod < thousand; pod += 1) namespace(`pod${pod}`);
  const before = await leftBehind();
  const added = await callAll(contender, "ADD", thousand);
  const full = await leftBehind();
  const deleted = await callAll(contender, "DEL", thousand);
  const after = await leftBehind();
  console.log(`\n${thousand} pods on one node, ${crowd} at a time`);
  console.log(
    `ADD   ${added.toFixed(0)} /s   interfaces, endpoints, handles and addresses ${full.join(", ")}`,
  );
  console.log(`DEL   ${deleted.toFixed(0)} /s   left behind ${after.join(", ")}`);
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

/** Calls a second with a whole crowd at once. */
async function rate(contender: Contender, command: string): Promise<number> {
  const start = performance.now();
  await Promise.all(Array.from({ length: crowd }, (_, pod) => call(contender, command, pod)));
  return (crowd * 1000) / (performance.now() - start);
}

function quantile(values: readonly number[], at: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * at)] ?? Number.NaN;
}

function row(name: string, values: readonly number[], peer?: readonly number[]): void {
  // On a machine with other work the best tenth says what a call takes, the median what it waits besides.
  const [p10, p50, p99] = [0.1, 0.5, 0.99].map((at) => quantile(values, at).toFixed(2).padStart(6));
  const ratioAt = (at: number): string =>
    peer === undefined ? "" : (quantile(values, at) / quantile(peer, at)).toFixed(2);
  const ratio = peer === undefined ? "" : `   p10 ${ratioAt(0.1)}, median ${ratioAt(0.5)} × ptp`;
  const figures = `p10 ${p10} ms   median ${p50} ms   p99 ${p99} ms`;
  console.log(`${name.padEnd(28)} ${figures}${ratio}`);
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
  const best = contenders.map(() => ({ add: 0, del: 0 }));
  for (let round = 0; round < crowdRounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const found = best[index];
      if (found === undefined) continue;
      found.add = Math.max(found.add, await rate(contender, "ADD"));
      found.del = Math.max(found.del, await rate(contender, "DEL"));
    }
  }
  const [own, peer] = best;
  console.log(`\n${crowd} at a time, best of ${crowdRounds}`);
  for (const [name, mine, theirs] of [
    ["ADD", own?.add ?? 0, peer?.add ?? 0],
    ["DEL", own?.del ?? 0, peer?.del ?? 0],
  ] as const) {
    const ratio = `${(mine / theirs).toFixed(2)} × ptp`;
    console.log(
      `${name}   calico ${mine.toFixed(0)} /s   ptp + host-local ${theirs.toFixed(0)} /s   ${ratio}`,
    );
  }
}

/** Starts a program of this directory in the node's namespace, and waits until it says that it is ready. */
async function startProcess(script: string): Promise<ChildProcess> {
  const argv = [join(import.meta.dirname, script), directory];
  const child = spawnInNamespace(nodePath, process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  const [first]: unknown[] = await Promise.race([
    once(child, "exit"),
    child.stdout === null ? [] : once(child.stdout, "data"),
  ]);
  if (!String(first).startsWith("ready")) throw new Error(`${script} did not start`);
  return child;
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
  const processes = [await startProcess("store.ts"), await startProcess("daemon.ts")];
  try {
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
    await measureThousand(contenders[0]);
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
