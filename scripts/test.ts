/**
 * `npm test`: every test that this machine can run, tier by tier, cheap ones first.
 *
 *   npm test                      all tiers
 *   npm test -- --tier unit       one tier (several: repeat --tier)
 *   npm test -- packages/bgp      only files whose path contains one of these texts
 *
 * A tier whose means are missing says so by name; its tests report themselves as skipped with the reason.
 */
import { globSync, mkdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { inside, isInMachine, runTierInMachine, type TierCount } from "./uml/run-tier.ts";

interface Tier {
  readonly name: string;
  readonly what: string;
  readonly matches: (file: string) => boolean;
  /** Test files that run at a time. */
  readonly concurrency: number;
  /** For one file, on a machine that is ten times as slow as a developer's: it bounds a failure, it is not a measurement. */
  readonly timeoutMs: number;
  /** Runs the tier's files elsewhere; undefined when they are to be run here. */
  readonly run?: (files: readonly string[]) => Promise<TierCount> | undefined;
}

const fileSuffix = /\.(kernel|interop|lab|uml)\.test\.ts$/;
const suffixOf = (file: string): string | undefined => fileSuffix.exec(file)?.[1];

const tiers: readonly Tier[] = [
  {
    name: "unit",
    what: "unit and property tests, and the rules of the house",
    matches: (file) => suffixOf(file) === undefined && !/^packages\/[^/]+\/test\//.test(file),
    concurrency: availableParallelism(),
    timeoutMs: 600_000,
  },
  {
    name: "suite",
    what: "simulations, compliance suites, stores against real etcd",
    matches: (file) => suffixOf(file) === undefined && /^packages\/[^/]+\/test\//.test(file),
    concurrency: availableParallelism(),
    timeoutMs: 1_200_000,
  },
  {
    name: "kernel",
    what: "the real kernel, in namespaces of the tests' own (root)",
    matches: (file) => suffixOf(file) === "kernel",
    concurrency: 1,
    timeoutMs: 1_200_000,
  },
  {
    name: "interop",
    what: "BIRD, FRR, GoBGP and the CNI reference plugins",
    matches: (file) => suffixOf(file) === "interop",
    // Each test has its own namespaces, and mostly waits for daemons.
    concurrency: availableParallelism(),
    timeoutMs: 1_200_000,
  },
  {
    name: "lab",
    what: "whole clusters in namespaces (root)",
    matches: (file) => suffixOf(file) === "lab",
    concurrency: 1,
    timeoutMs: 2_400_000,
  },
  {
    name: "uml",
    what: "what this machine's kernel may lack, on a user-mode Linux of its own",
    matches: (file) => suffixOf(file) === "uml",
    concurrency: 1,
    timeoutMs: 2_400_000,
    run: (files) => (isInMachine() ? undefined : runTierInMachine(positionals, files.length)),
  },
];

/** Far beyond what any tier takes, on a slow machine too. */
const tierDeadlineMs = 90 * 60_000;
/**
 * What a shell may have set for a cluster or a daemon of its own, and no test means: the programs under test and their peers
 * would all obey it.
 */
const foreignSetting =
  /^(AS|CLUSTER_TYPE|DATASTORE_TYPE|IP6?|KUBECONFIG|NODENAME|NO_DEFAULT_POOLS|USE_POD_CIDR|(CALICO|CARACAL|CNI|CONTAINERS?|ETCD|ETCDCTL|FELIX|IP|IP6|K8S|KUBERNETES)_.*)$/;
/** A Unix socket's path has 107 letters at most, and tests put some in directories of directories. */
const temporaryLengthMax = 30;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tier: { type: "string", multiple: true } },
});
const unknown = (values.tier ?? []).filter((name) => !tiers.some((tier) => tier.name === name));
if (unknown.length > 0) {
  console.error(
    `unknown tier '${unknown.join("', '")}'; tiers are ${tiers.map((tier) => tier.name).join(", ")}`,
  );
  process.exit(1);
}

const files = globSync(["test/**/*.test.ts", "packages/*/{src,test}/**/*.test.ts"])
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .toSorted();
const total: TierCount = { passed: 0, failed: 0, skipped: 0 };
const temporary = `${tmpdir().length > temporaryLengthMax ? "/tmp" : tmpdir()}/caracal-test-${process.pid}`;
mkdirSync(temporary, { recursive: true });
makeEnvironmentPlain();
try {
  for (const tier of tiers) {
    if (values.tier !== undefined && !values.tier.includes(tier.name)) continue;
    await runTier(tier);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

/** Gives every test the same environment, whoever runs it. */
function makeEnvironmentPlain(): void {
  for (const name of Object.keys(process.env)) {
    if (foreignSetting.test(name) && name !== inside) delete process.env[name];
  }
  process.env["TMPDIR"] = temporary;
  process.env["LC_ALL"] = "C.UTF-8";
  // Debian keeps daemons, and some tools, out of a plain user's path.
  process.env["PATH"] = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
}

async function runTier(tier: Tier): Promise<void> {
  const chosen = files.filter((file) => tier.matches(file));
  if (chosen.length === 0) return;
  const startedAt = performance.now();
  console.log(`\n=== ${tier.name}: ${tier.what} (${chosen.length} files)`);
  if (["kernel", "interop", "lab"].includes(tier.name) && process.getuid?.() !== 0) {
    console.log(`    not root: the ${tier.name} tier skips what needs network namespaces`);
  }
  const count = (await tier.run?.(chosen)) ?? (await runHere(tier, chosen));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `=== ${tier.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped in ${seconds} s`,
  );
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}

async function runHere(tier: Tier, files: readonly string[]): Promise<TierCount> {
  const count: TierCount = { passed: 0, failed: 0, skipped: 0 };
  // A test that never yields does not notice its own time-out: then the whole tier is ended.
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    count.failed += 1;
    console.log(`=== ${tier.name}: given up after ${tierDeadlineMs / 60_000} minutes`);
    deadline.abort();
  }, tierDeadlineMs);
  const events = run({
    files,
    signal: deadline.signal,
    concurrency: tier.concurrency,
    timeout: tier.timeoutMs,
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  events.on("test:pass", (event) => {
    if (event.details.type === "suite") return;
    if (event.skip !== undefined || event.todo !== undefined) count.skipped += 1;
    else count.passed += 1;
  });
  events.on("test:fail", (event) => {
    if (event.details.type !== "suite") count.failed += 1;
  });
  for await (const line of events.compose(spec)) process.stdout.write(String(line));
  clearTimeout(timer);
  return count;
}
