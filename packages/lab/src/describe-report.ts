import type { CheckReport } from "./lab-check.ts";
import { textTable } from "./text-table.ts";

/** The report for people: every pair, then how many expectations there were, then what differs. */
export function describeReport({ pings, findings, differences, ok }: CheckReport): string {
  const rows = pings.map((pair) => [
    pair.from,
    pair.to,
    pair.address,
    `${pair.received}/${pair.sent}`,
    pair.rttMs === undefined ? "-" : `${pair.rttMs.toFixed(3)} ms`,
    pair.found === pair.expected ? pair.found : `${pair.found}, expected ${pair.expected}`,
  ]);
  const kinds = ["session", "route", "path", "output", "capture"] as const;
  const counts = kinds.flatMap((kind) => {
    const those = findings.filter((finding) => finding.kind === kind);
    const good = those.filter((finding) => finding.ok).length;
    return those.length === 0 ? [] : [`${kind}s ${good}/${those.length}`];
  });
  const told = differences.map((line) => `${line}\n`).join("");
  const expectations = pings.length + findings.length;
  const verdict = ok ? "all as expected" : `${differences.length} of ${expectations} expectations differ`;
  const table = textTable(["FROM", "TO", "ADDRESS", "ANSWERS", "RTT", "RESULT"], rows);
  return `${table}\n${counts.join(", ")}\n${told}${verdict}\n`;
}
