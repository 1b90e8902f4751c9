/**
 * For Debian's etcdctl the embedded server and a real etcd are the same. Method: one script of commands runs against both,
 * each from an empty store; what is printed must be equal but for ids, terms and times.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, requireTool, startEtcd, Testbed } from "@caracal/testbed";
import { EmbeddedServer } from "../src/index.ts";

const skip = requireTool("etcd", "etcdctl");

/** Arguments, and what is typed. */
interface Step {
  readonly args: readonly string[];
  readonly input?: string;
}

const $ = (...args: readonly string[]): Step => ({ args });
const txn = (input: string, ...args: readonly string[]): Step => ({ args: ["txn", ...args], input });

const writing: readonly Step[] = [
  $("put", "a", "1"),
  $("put", "a", "2", "--prev-kv"),
  $("put", "b", "x y"),
  $("put", "dir/1", "one"),
  $("put", "dir/2", "two"),
  $("put", "dir/3", "three", "-w", "json"),
  $("put", "", "x"),
  $("put", "nokey", "--ignore-value"),
  $("put", "nokey", "--ignore-lease", "1"),
  $("put", "a", "9", "--lease=123"),
  $("put", "b", "--ignore-value", "-w", "json"),
];

const reading: readonly Step[] = [
  $("get", "a"),
  $("get", "a", "-w", "json"),
  $("get", "a", "-w", "fields"),
  $("get", "a", "b", "-w", "json"),
  $("get", "b", "a", "-w", "json"),
  $("get", "zz", "-w", "json"),
  $("get", ""),
  $("get", "dir/", "--prefix"),
  $("get", "dir/", "--prefix", "--keys-only"),
  $("get", "dir/", "--prefix", "--print-value-only"),
  $("get", "dir/", "--prefix", "--limit=2", "-w", "json"),
  $("get", "dir/", "--prefix", "--limit=3", "-w", "json"),
  $("get", "", "--prefix", "--limit=2", "--sort-by=MODIFY", "--order=DESCEND", "-w", "json"),
  $("get", "dir/2", "--from-key", "-w", "json"),
  $("get", "", "--from-key", "--sort-by=CREATE", "--order=DESCEND", "--limit=3", "-w", "json"),
  $("get", "", "--prefix", "--sort-by=VERSION", "-w", "json"),
  $("get", "", "--prefix", "--sort-by=VALUE", "--order=ASCEND"),
  $("get", "dir/", "--prefix", "--sort-by=KEY", "--order=DESCEND"),
  $("get", "dir/", "--prefix", "--rev=5", "-w", "json"),
  $("get", "dir/", "--prefix", "--rev=6", "--limit=1", "-w", "json"),
  $("get", "a", "--rev=2"),
  $("get", "a", "--rev=99"),
  $("get", "a", "--consistency=s"),
];

const deleting: readonly Step[] = [
  $("del", "dir/2", "--prev-kv"),
  $("del", "nothing", "-w", "json"),
  $("del", "dir/", "--prefix", "--prev-kv", "-w", "json"),
  $("get", "dir/", "--prefix", "--rev=7", "-w", "json"),
  $("put", "dir/1", "again", "-w", "json"),
];

const transactions: readonly Step[] = [
  txn('value("a") = "2"\nmod("b") > "1"\n\nput c 1\nget a\n\nput d 1\n\n'),
  txn('value("a") = "2"\n\nput e 2\nget e\ndel b --prev-kv\nget b\n\nput d 1\n\n', "-w", "json"),
  txn('value("nokey") = "2"\n\nput c 1\n\nget a\nput d 1\n\n', "-w", "json"),
  txn('version("nokey") = "0"\ncreate("a") < "5"\n\nget a\n\nput d 1\n\n', "-w", "json"),
  txn('version("a") > "9"\n\nget a\n\nget dir/ --prefix --keys-only\n\n', "-w", "json"),
  txn("\nput q 1\nput q 2\n\n\n"),
  txn("\nput q 1\ndel a --prefix\nput abc 3\n\n\n"),
  txn("\nput q 1\nget a --rev=100\n\n\n"),
  txn('\nput q 1\nput r 2\ndel dir/ --prefix\nget "" --from-key\n\n\n', "-w", "json"),
  txn("\n\n\n"),
];

const compacting: readonly Step[] = [
  $("get", "", "--prefix", "-w", "json"),
  $("compaction", "6"),
  $("compaction", "6"),
  $("compaction", "4"),
  $("compaction", "500"),
  $("get", "a", "--rev=3"),
  $("get", "", "--prefix", "--rev=6", "-w", "json"),
  $("get", "", "--prefix", "--rev=9", "-w", "json"),
  $("compaction", "10", "--physical"),
  $("get", "", "--prefix", "--rev=10", "-w", "json"),
  $("defrag"),
];

const others: readonly Step[] = [
  $("lease", "timetolive", "123"),
  $("lease", "revoke", "123"),
  $("lease", "keep-alive", "--once", "123"),
  $("lease", "list"),
  $("alarm", "list"),
  $("auth", "disable"),
  $("auth", "enable"),
  $("--user=root:guess", "get", "a"),
  $("endpoint", "health"),
  $("endpoint", "status", "-w", "json"),
  $("endpoint", "status"),
  $("member", "list"),
];

/** A running etcdctl. */
interface Started {
  readonly child: ChildProcess;
  /** What it printed, then what it complained of. */
  readonly output: () => string;
}

function normalise(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith('{"level"'))
    .join("\n")
    .replaceAll(/"(cluster_id|member_id|raft_term|raftTerm|leader|ID|dbSize|dbSizeInUse)":[0-9]+/g, '"$1":N')
    .replaceAll(/"(raftIndex|raftAppliedIndex)":[0-9]+/g, '"$1":N')
    .replaceAll(/"version":"3\.4\.[0-9]+"/g, '"version":"3.4"')
    .replaceAll(/"(ClusterID|MemberID|RaftTerm)" : [0-9]+/g, '"$1" : N')
    .replaceAll(/(http:\/\/127\.0\.0\.1:[0-9]+|unix:\/\/\/[^\s"\],]+)/g, "ENDPOINT")
    .replaceAll(/took = [0-9.]+[mµ]?s/g, "took = T")
    .replaceAll(/\b[0-9a-f]{15,16}\b/g, "ID");
}

describe("etcdctl cannot tell the embedded server from etcd", { skip }, () => {
  const bed = Testbed.create();
  /** The real one's first, then ours over a socket file. */
  let endpoints: readonly string[] = [];
  let server: EmbeddedServer | undefined;
  const running: ChildProcess[] = [];

  before(async () => {
    const etcd = await startEtcd(bed);
    const dataDir = bed.directory();
    server = await EmbeddedServer.start({ dataDir, listen: [{ unix: join(dataDir, "store.sock") }] });
    endpoints = [etcd.endpoint, ...server.endpoints];
  });
  after(async () => {
    for (const child of running) child.kill("SIGKILL");
    await server?.stop();
    await bed.close();
  });

  function start(endpoint: string, { args, input }: Step): Started {
    const child = spawn("etcdctl", [`--endpoints=${endpoint}`, "--command-timeout=5s", ...args], {
      env: { ...process.env, ETCDCTL_API: "3" },
    });
    running.push(child);
    const printed = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      child[name].on("data", (text: string) => {
        printed[name] += text;
      });
    }
    // The end of its input ends an interactive watch.
    if (args.includes("-i")) child.stdin.write(input ?? "");
    else child.stdin.end(input);
    return { child, output: () => printed.stdout + printed.stderr };
  }

  async function finish(endpoint: string, step: Step): Promise<string> {
    const started = start(endpoint, step);
    const code = await new Promise((resolve) => started.child.once("close", resolve));
    return `${normalise(started.output())}exit ${String(code)}`;
  }

  async function compare(step: Step): Promise<string> {
    const [real = "", ours = ""] = await Promise.all(endpoints.map((endpoint) => finish(endpoint, step)));
    assert.equal(ours, real, `etcdctl ${step.args.join(" ")}\n${step.input ?? ""}`);
    return real;
  }

  const scripts = { writing, reading, deleting, transactions, compacting };
  for (const [name, steps] of Object.entries(scripts)) {
    test(name, async () => {
      for (const step of steps) await compare(step);
    });
  }

  test("watching: history, live changes, filters and compacted revisions", async () => {
    const watches: readonly Step[] = [
      $("watch", "--rev=11", "", "--prefix"),
      $("watch", "--rev=11", "", "--prefix", "--prev-kv"),
      $("watch", "--rev=13", "", "--prefix", "--prev-kv", "-w", "json"),
      $("watch", "a", "z", "--prev-kv", "-w", "json"),
      $("watch", "--rev=10", "a", "-w", "json"),
      $("watch", "--rev=2", "a", "-w", "json"),
      $("watch", "--rev=500", "a", "-w", "json"),
      $("watch", "-i"),
    ];
    const input = "watch a\nwatch --rev=12 dir/ --prefix\nprogress\n";
    const pairs = watches.map((step) => ({
      step,
      both: endpoints.map((endpoint) => start(endpoint, step.args[1] === "-i" ? { ...step, input } : step)),
    }));
    // A watch from now on has begun when it sees a change; until then one is made again, at both.
    const isLive = (): boolean =>
      pairs.every(
        ({ step, both }) =>
          /--rev=(2|500)/.test(step.args.join(" ")) || both.every((w) => /cHJvYmU=|probe/.test(w.output())),
      );
    for (let probes = 0; !isLive() && probes < 100; probes += 1) await compare($("put", "a", "probe"));
    assert.ok(isLive(), "not every watch began");
    await compare($("put", "a", "live"));
    await compare($("del", "a"));
    await compare($("put", "y", "outside"));
    await compare(txn("\nput a 1\nput b 2\ndel dir/ --prefix\n\n\n"));
    await compare($("put", "a", "the end"));
    for (const { step, both } of pairs) {
      const shown = view(step);
      await eventually(() => {
        const [real, ours] = both.map((watch) => shown(completeLines(watch.output())));
        assert.equal(ours, real, step.args.join(" "));
        return /the end|dGhlIGVuZA==|Canceled":true/.test(real ?? "") || step.args.includes("--rev=500");
      });
    }
  });

  test("leases: what is granted, shown, kept and revoked", async () => {
    const grants = await Promise.all(
      endpoints.map(async (endpoint) => {
        const started = start(endpoint, $("lease", "grant", "600"));
        await new Promise((resolve) => started.child.once("close", resolve));
        const id = /lease ([0-9a-f]+) granted with TTL\(600s\)/.exec(started.output())?.[1];
        assert.ok(id !== undefined, started.output());
        return { endpoint, id };
      }),
    );
    const steps: readonly ((id: string) => Step)[] = [
      (id) => $("put", "leased/1", "1", `--lease=${id}`),
      (id) => $("put", "leased/2", "2", `--lease=${id}`, "-w", "json"),
      (id) => $("lease", "timetolive", id, "--keys"),
      (id) => $("lease", "keep-alive", "--once", id),
      () => $("lease", "list"),
      () => $("put", "leased/1", "--ignore-lease", "3"),
      () => $("put", "leased/2", "free"),
      (id) => $("lease", "timetolive", id, "--keys", "-w", "json"),
      (id) => $("lease", "revoke", id),
      () => $("get", "leased/", "--prefix", "-w", "json"),
      (id) => $("lease", "revoke", id),
      (id) => $("lease", "timetolive", id),
      () => $("lease", "grant", "1"),
      () => $("lease", "grant", "9000000001"),
    ];
    for (const step of steps) {
      const [real, ours] = await Promise.all(grants.map(({ endpoint, id }) => finish(endpoint, step(id))));
      assert.equal(lease(ours), lease(real), step("ID").args.join(" "));
    }
  });

  test("everything else", async () => {
    for (const step of others) {
      if (step.args.join(" ") === "endpoint status" || step.args[0] === "member") {
        // Sizes, names and peers differ; that both answer is what matters.
        const answers = await Promise.all(endpoints.map((endpoint) => finish(endpoint, step)));
        for (const answer of answers) assert.match(answer, /exit 0$/);
      } else await compare(step);
    }
  });
});

/** The part of a watch's output that does not depend on when it began, or on which of two watches was told first. */
function view({ args }: Step): (output: string) => string {
  if (args.includes("-i")) {
    return (output) =>
      normalise(output)
        .replaceAll("PUT\na\nprobe\n", "")
        .split("\n")
        .filter((line) => !line.startsWith("progress notify"))
        .toSorted()
        .join("\n");
  }
  // A watch from now on began with one probe or another; all that has a revision began at the same place.
  const isWhole = args.some((argument) => argument.startsWith("--rev"));
  return isWhole ? flat : (output) => fromLive(flat(output));
}

/** Seconds pass, ids are random, and etcd lists the keys of a lease in no order. */
function lease(output: string | undefined): string | undefined {
  return output
    ?.replaceAll(/remaining\((600|59[0-9])s\)|"ttl":(600|59[0-9])/g, "LEFT")
    .replaceAll(/"(lease|id)":-?[0-9]+/g, "ID")
    .replace(/keys\(\[(.*)\]\)/, (_, keys: string) => keys.split(" ").toSorted().join(" "))
    .replace(/"keys":\[(.*)\]/, (_, keys: string) => keys.split(",").toSorted().join(" "));
}

/** A line may arrive in pieces. */
function completeLines(output: string): string {
  return output.slice(0, output.lastIndexOf("\n") + 1);
}

/** What a watch printed from the change "live" on. */
function fromLive(output: string): string {
  const start = output.search(/live|bGl2ZQ==/);
  return start < 0 ? output : output.slice(start);
}

/** How many events of the past share a message depends on when the watch began: JSON messages become one line an event. */
function flat(output: string): string {
  const lines = output.split("\n").flatMap((line) => {
    if (!line.startsWith('{"Header"')) return [line];
    const message: unknown = JSON.parse(line);
    assert.ok(
      typeof message === "object" && message !== null && "Events" in message && Array.isArray(message.Events),
    );
    const ending = "Canceled" in message && message.Canceled === true ? [line] : [];
    return [...message.Events.map((event) => JSON.stringify(event)), ...ending];
  });
  return normalise(lines.join("\n"));
}
