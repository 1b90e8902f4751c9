import { inParallel } from "./in-parallel.ts";
import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import { missingSessions } from "./lab-routing.ts";
import { ping, type PingOutcome } from "./ping.ts";

/** What a lab should do and what it does. */
export interface CheckReport {
  readonly lab: string;
  /** Everything is as expected. */
  readonly ok: boolean;
  readonly pings: readonly PairCheck[];
  /** Sessions that should be up and are not, one line each. */
  readonly sessionProblems: readonly string[];
}

/** One pod pinging another. */
export interface PairCheck extends PingOutcome {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly expected: "reachable";
  readonly found: "reachable" | "lossy" | "unreachable";
}

const PING_WIDTH = 16;
const PING_COUNT = 3;

/** Pings between every pair of pods, both ways, and looks at every node's sessions. */
export async function checkLab(lab: LabDirectory, ctx: LabContext): Promise<CheckReport> {
  const pods = lab.pods();
  const pairs = pods.flatMap((from) =>
    pods
      .filter((to) => to.name !== from.name)
      .flatMap((to) => to.addresses.map((address) => ({ from: from.name, to: to.name, address }))),
  );
  const pings = await inParallel(pairs, PING_WIDTH, async (pair): Promise<PairCheck> => {
    ctx.signal.throwIfAborted();
    const namespace = lab.namespacePath(pair.from);
    const outcome = await ping({ namespace, address: pair.address, count: PING_COUNT, env: ctx.env });
    return { ...pair, expected: "reachable", found: judge(outcome), ...outcome };
  });
  const nodes = lab.nodes();
  const problems = await inParallel(nodes, nodes.length, (node) => missingSessions(lab, node, nodes));
  const sessionProblems = problems.flat();
  const ok = sessionProblems.length === 0 && pings.every((pair) => pair.found === pair.expected);
  return { lab: lab.name, ok, pings, sessionProblems };
}

function judge({ sent, received }: PingOutcome): PairCheck["found"] {
  if (received === 0) return "unreachable";
  return received < sent ? "lossy" : "reachable";
}
