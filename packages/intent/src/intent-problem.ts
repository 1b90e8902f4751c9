import { describeProblems, type Problem } from "@caracal/resources";

/** Something in the resources that keeps a node from doing all they ask for; the rest goes on. */
export interface IntentProblem {
  /** What it is about, as Calico prints identifiers: `Node(kw01)`, `BGPPeer(rack1)`. */
  readonly about: string;
  /** One line: what is wrong, and what to do. */
  readonly message: string;
}

/** Order by subject and text, without repeats: the same problems print the same way whatever order found them. */
export function sortProblems(problems: readonly IntentProblem[]): readonly IntentProblem[] {
  const byText = new Map(problems.map((one) => [`${one.about}\0${one.message}`, one]));
  return [...byText.entries()].toSorted(([a], [b]) => compareText(a, b)).map(([, one]) => one);
}

/** Order of texts by code unit: the same on every machine, unlike locale order. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** What is said of a resource that is in the datastore and makes no sense: the rest of the cluster goes on without it. */
export function unreadableProblem(about: string, problems: readonly Problem[]): IntentProblem {
  const reason = describeProblems(problems).replaceAll(/\s*\n-\s*/g, " ");
  return { about, message: `cannot be read and is left out: ${reason}` };
}
