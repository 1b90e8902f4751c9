/**
 * What a benchmark is asked for on its command line:
 *
 *     --quick           smaller sizes, one round
 *     --all             slow routers at every size, too
 *     --rounds=N        3 unless told
 *     --peers=A,B       caracal beside these routers only; the first is the one compared with
 *     --only=TEXT       only scenarios whose name contains this
 */
import { parseArgs } from "node:util";
import { type BenchRouter } from "./routers.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    rounds: { type: "string" },
    peers: { type: "string" },
    only: { type: "string", default: "" },
  },
});

/** What is measured, whatever it is measured against. */
const subjectName = "caracal";

export const isQuick: boolean = values.quick;
export const isComplete: boolean = values.all;
export const roundCount: number = Number(values.rounds ?? (isQuick ? 1 : 3));

export function wantedRouters(routers: readonly BenchRouter[]): readonly BenchRouter[] {
  const names = values.peers?.split(",");
  if (names === undefined) return routers;
  return routers.filter(({ name }) => name === subjectName || names.includes(name));
}

export function isWanted(scenarioName: string): boolean {
  return scenarioName.includes(values.only);
}
