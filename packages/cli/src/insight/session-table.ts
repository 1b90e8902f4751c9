import type { ClusterSession, SessionEnd, SessionVerdict } from "@caracal/insight";
import { boxTable } from "../output/box-table.ts";

/** A session and how it stands. */
export interface JudgedSession {
  readonly session: ClusterSession;
  readonly verdict: SessionVerdict;
}

/** As `node status` names them. */
const typeNames = {
  mesh: "node-to-node mesh",
  global: "global",
  node: "node specific",
  workload: "local workload",
} as const;

/** BIRD shows the time of day for what is younger than this, the date for what is older. */
const shortFormMs = 20 * 3600 * 1000;

/** One table of all sessions; for each that is down, why, and what would help. */
export function sessionTable(sessions: readonly JudgedSession[], now: Date): string {
  const rows = sessions.map(({ session, verdict }) => {
    const [near, far] = session.ends;
    const info = verdict.isUp ? verdict.state : `${verdict.state} ${lastErrorOf(session)}`.trim();
    return [
      near.node ?? near.address,
      near.address,
      far.node ?? "-",
      far.address,
      typeOf(near, far),
      verdict.isUp ? "up" : "start",
      sinceText(verdict.sinceS, now),
      info,
    ];
  });
  const heading = ["NODE", "ADDRESS", "PEER NODE", "PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO"];
  const down = sessions.filter(({ verdict }) => !verdict.isUp);
  const told = down.map(
    ({ session: { ends }, verdict }) =>
      `\n${ends.map(({ node, address }) => node ?? address).join(" – ")}: ${verdict.reason ?? verdict.state}\n  fix: ${verdict.fix ?? ""}\n`,
  );
  return `${boxTable(heading, rows)}${sessions.length} session(s), ${down.length} not established\n${told.join("")}`;
}

/** The same as data. */
export function sessionJson(sessions: readonly JudgedSession[]): unknown {
  return sessions.map(({ session: { family, ends }, verdict }) => ({
    family: `IPv${family}`,
    ends: ends.map(({ node, address, intent, status, isAnswering }) => ({
      node,
      address,
      session: intent?.name,
      type: intent?.type,
      bgpPeer: intent?.bgpPeer,
      asNumber: intent?.localAsNumber,
      state: status?.state,
      lastError: status?.lastError,
      importedRoutes: status?.importedRoutes,
      exportedRoutes: status?.exportedRoutes,
      isAnswering: node === undefined ? undefined : isAnswering,
    })),
    isUp: verdict.isUp,
    state: verdict.state,
    since: verdict.sinceS === undefined ? undefined : new Date(verdict.sinceS * 1000).toISOString(),
    reason: verdict.reason,
    fix: verdict.fix,
  }));
}

function typeOf(near: SessionEnd, far: SessionEnd): string {
  const type = near.intent?.type ?? far.intent?.type;
  return type === undefined ? "-" : typeNames[type];
}

function lastErrorOf({ ends }: ClusterSession): string {
  return ends.map(({ status }) => status?.lastError ?? "").find((text) => text !== "") ?? "";
}

function sinceText(sinceS: number | undefined, now: Date): string {
  if (sinceS === undefined) return "-";
  const since = new Date(sinceS * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (now.getTime() - since.getTime() < shortFormMs) {
    return [since.getHours(), since.getMinutes(), since.getSeconds()].map(two).join(":");
  }
  return [since.getFullYear(), two(since.getMonth() + 1), two(since.getDate())].join("-");
}
