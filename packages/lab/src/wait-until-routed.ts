import { setTimeout as sleep } from "node:timers/promises";
import { checkRouting, forwardingOf } from "./checks/check-routing.ts";
import { checkSessions } from "./checks/check-sessions.ts";
import { describeFinding } from "./checks/finding.ts";
import type { LabContext } from "./lab-context.ts";
import { LabError } from "./lab-error.ts";
import type { OpenLab } from "./open-lab.ts";
import { patience } from "./patience.ts";

const ROUTED_DEADLINE_MS = 60_000 * patience;
/** Two BIRDs that both connect get in each other's way for a while, and hold their routes back until all peers are there. */
const ROUTED_BY_BIRD_DEADLINE_MS = 180_000 * patience;
const ROUTED_POLL_MS = 50 * patience;
const MAX_MISSING_SHOWN = 20;

/** Waits until sessions, routes and paths are as the topology says; a lab that is late says what is missing. */
export async function waitUntilRouted(open: OpenLab, ctx: LabContext): Promise<void> {
  const { lab } = open;
  const hasBird = lab.nodes().some((node) => node.backend === "bird");
  const deadlineMs = hasBird ? ROUTED_BY_BIRD_DEADLINE_MS : ROUTED_DEADLINE_MS;
  const end = performance.now() + deadlineMs;
  for (;;) {
    const missing = await missingRouting(open, ctx);
    if (missing.length === 0) return;
    if (ctx.signal.aborted || performance.now() > end) {
      const shown = missing.slice(0, MAX_MISSING_SHOWN);
      const more = missing.length > shown.length ? [`and ${missing.length - shown.length} more`] : [];
      const after = ctx.signal.aborted ? "interrupted" : `after ${deadlineMs / 1000} s`;
      const lines = [...shown, ...more].map((line) => `\n  ${line}`).join("");
      throw new LabError(
        `lab ${lab.name} is up but not routed (${after}); look with lab exec, remove with lab down:${lines}`,
      );
    }
    await sleep(ROUTED_POLL_MS, undefined, { signal: ctx.signal }).catch(() => undefined);
  }
}

/** What is not yet as it should be, one line each; empty: routed. */
async function missingRouting(open: OpenLab, ctx: LabContext): Promise<readonly string[]> {
  const routing = checkRouting(open, forwardingOf(open)).filter(({ ok }) => !ok);
  // Sessions cost a question to every daemon: they are looked at once the routes are there.
  const findings = routing.length > 0 ? routing : (await checkSessions(open, ctx)).filter(({ ok }) => !ok);
  return findings.map(describeFinding);
}
