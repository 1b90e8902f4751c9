/** A word of a command and the words that may follow it. */
interface Words {
  readonly [word: string]: Words | null;
}

/** Commands of the view; `null` marks what is complete with arguments of its own. */
const grammar: Words = {
  quit: null,
  exit: null,
  help: null,
  restrict: null,
  show: { protocols: { all: null }, route: null, status: null },
};

/** What `?` lists. */
export const birdHelp: readonly string[] = [
  "quit                                           Quit the client",
  "exit                                           Exit the client",
  "help                                           Description of the help system",
  'show protocols [<protocol> | "<pattern>"]       Show routing protocols',
  'show protocols all [<protocol> | "<pattern>"]   Show routing protocol details',
  "show route ...                                 Show routing table",
  "show status                                    Show router status",
  "restrict                                       Restrict current CLI session to safe commands",
];

/** A command line with its leading words spelt out, as BIRD's client allows them to be cut short: `s r` is `show route`. */
export function expandBirdCommand(
  line: string,
):
  | { readonly kind: "command"; readonly command: string }
  | { readonly kind: "refused"; readonly lines: readonly string[] } {
  const words = line.trim().split(/\s+/);
  const expanded: string[] = [];
  let level: Words | null = grammar;
  while (level !== null && expanded.length < words.length) {
    const word = words[expanded.length] ?? "";
    const candidates: readonly string[] = Object.keys(level).filter((candidate) =>
      candidate.startsWith(word),
    );
    const match: string | undefined = Object.hasOwn(level, word) ? word : candidates[0];
    if (match === undefined) break;
    if (match !== word && candidates.length > 1) {
      const lines = [
        ...expandedForms(expanded, candidates),
        "Ambiguous command, possible expansions are above.",
      ];
      return { kind: "refused", lines };
    }
    expanded.push(match);
    level = level[match] ?? null;
  }
  // What must go on is known only at the first level: `show`, then one of its objects.
  const isIncomplete = expanded.length === 0 || (expanded.length === 1 && expanded[0] === "show");
  if (isIncomplete) {
    const problem = expanded.length === words.length ? "Incomplete command." : "No such command.";
    return { kind: "refused", lines: [`${problem} Press \`?' for help.`] };
  }
  return { kind: "command", command: [...expanded, ...words.slice(expanded.length)].join(" ") };
}

function expandedForms(before: readonly string[], candidates: readonly string[]): readonly string[] {
  return candidates.map((candidate) => [...before, candidate].join(" "));
}
