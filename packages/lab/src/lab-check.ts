import { checkCaptures } from "./checks/check-captures.ts";
import { checkOutputs } from "./checks/check-outputs.ts";
import { checkRouting, forwardingOf, unreachableRule } from "./checks/check-routing.ts";
import { checkSessions } from "./checks/check-sessions.ts";
import { describeFinding, type Finding } from "./checks/finding.ts";
import { inParallel } from "./in-parallel.ts";
import type { LabContext } from "./lab-context.ts";
import type { PodRecord } from "./lab-record.ts";
import type { OpenLab } from "./open-lab.ts";
import { ping, type PingOutcome } from "./ping.ts";

/** What a lab should do and what it does. */
export interface CheckReport {
  readonly lab: string;
  /** Everything is as expected. */
  readonly ok: boolean;
  readonly pings: readonly PairCheck[];
  /** Sessions, routes, paths by the kernels' tables, outputs of commands, captures. */
  readonly findings: readonly Finding[];
  /** All that is not as expected, one line each. */
  readonly differences: readonly string[];
}

/** One pod pinging another. */
export interface PairCheck extends PingOutcome {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly expected: "reachable" | "unreachable";
  readonly found: "reachable" | "lossy" | "unreachable";
}

const PING_WIDTH = 16;
const PING_COUNT = 3;
/** Of echoes that nothing should answer one is enough. */
const VAIN_PING_COUNT = 1;

/** Pings between every pair of pods, both ways, and looks at all that the topology says must be seen. */
export async function checkLab(open: OpenLab, ctx: LabContext): Promise<CheckReport> {
  const { lab } = open;
  const pods = lab.pods();
  const pairs = pods.flatMap((from) =>
    pods.filter((to) => to.name !== from.name).map((to) => ({ from, to })),
  );
  const [pings, sessions] = await Promise.all([
    inParallel(pairs, PING_WIDTH, ({ from, to }) => checkPair(open, from, to, ctx)),
    checkSessions(open, ctx),
  ]);
  const forwarding = forwardingOf(open);
  const outputs = await checkOutputs(open, forwarding, ctx);
  const captures = await checkCaptures(open, ctx);
  const findings = [...sessions, ...checkRouting(open, forwarding), ...outputs, ...captures];
  const differences = [
    ...pings
      .flat()
      .filter(({ expected, found }) => found !== expected)
      .map(describePair),
    ...findings.filter(({ ok }) => !ok).map(describeFinding),
  ];
  return { lab: lab.name, ok: differences.length === 0, pings: pings.flat(), findings, differences };
}

function checkPair(
  { lab, topology }: OpenLab,
  from: PodRecord,
  to: PodRecord,
  ctx: LabContext,
): Promise<readonly PairCheck[]> {
  const { checks } = topology;
  // An echo needs a way there and a way back.
  const isBroken = [unreachableRule(checks, from.node, to.node), unreachableRule(checks, to.node, from.node)];
  const expected = isBroken.some((rule) => rule !== undefined) ? "unreachable" : "reachable";
  return inParallel(to.addresses, 1, async (address): Promise<PairCheck> => {
    ctx.signal.throwIfAborted();
    const count = expected === "reachable" ? PING_COUNT : VAIN_PING_COUNT;
    const outcome = await ping({ namespace: lab.namespacePath(from.name), address, count, env: ctx.env });
    return { from: from.name, to: to.name, address, expected, found: judge(outcome), ...outcome };
  });
}

function judge({ sent, received }: PingOutcome): PairCheck["found"] {
  if (received === 0) return "unreachable";
  return received < sent ? "lossy" : "reachable";
}

function describePair({ from, to, address, expected, found }: PairCheck): string {
  return `${from}: expected ${to} (${address}) ${expected}; found it ${found}`;
}
