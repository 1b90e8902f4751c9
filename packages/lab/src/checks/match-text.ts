/** What placeholders of an expected text stand for: `<block worker1>`, `<pod web>`. */
export type Placeholders = Readonly<Record<Placeholder, (name: string) => readonly string[]>>;

/** A node's blocks and a pod's addresses: in the pool, and in the pool of IPv6 beside it. */
type Placeholder = "block" | "block6" | "pod" | "pod6";

/** Where a text is not as expected. */
export interface TextDifference {
  readonly expected: string;
  readonly found: string;
}

const PLACEHOLDER = /<(any|time|mac|block6?|pod6?)(?: ([^<>]+))?>/g;
const TIME = String.raw`(?:[0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2})`;
const MAC = "[0-9a-f]{2}(?::[0-9a-f]{2}){5}";

/** Names in placeholders that mean nothing: nodes and pods the topology does not have. */
export function strayPlaceholders(
  text: string,
  nodes: readonly string[],
  pods: readonly string[],
): readonly string[] {
  return [...text.matchAll(PLACEHOLDER)].flatMap(([whole, kind, name = ""]) => {
    if (kind?.startsWith("block")) return nodes.includes(name) ? [] : [whole];
    if (kind?.startsWith("pod")) return pods.includes(name) ? [] : [whole];
    return [];
  });
}

/** A command with its placeholders filled in: the first block, the first address. */
export function fillIn(command: string, placeholders: Placeholders): string {
  return command.replaceAll(PLACEHOLDER, (whole: string, kind: string, name: string = "") => {
    return isPlaceholder(kind) ? (placeholders[kind](name)[0] ?? "none") : whole;
  });
}

/**
 * Compares a command's output with what was expected, line by line. Widths of columns do not count: runs of blanks and of
 * dashes are alike whatever their length. With `isPart` the lines need only stand together somewhere.
 */
export function matchText(
  expected: string,
  found: string,
  isPart: boolean,
  placeholders: Placeholders,
): TextDifference | undefined {
  const wanted = linesOf(expected).map((text) => ({ text, pattern: toPattern(text, placeholders) }));
  const lines = linesOf(found);
  if (isPart) {
    const isAt = (start: number): boolean =>
      wanted.every(({ pattern }, index) => pattern.test(lines[start + index] ?? ""));
    if (lines.some((_, start) => isAt(start))) return undefined;
    const missing = wanted.find(({ pattern }) => !lines.some((line) => pattern.test(line)));
    return missing === undefined
      ? { expected: wanted[0]?.text ?? "", found: "its lines, but not together" }
      : { expected: missing.text, found: "no such line" };
  }
  for (let index = 0; index < Math.max(wanted.length, lines.length); index += 1) {
    const [want, line] = [wanted[index], lines[index]];
    if (want === undefined) return { expected: "no more lines", found: line ?? "" };
    if (line === undefined) return { expected: want.text, found: "no more lines" };
    if (!want.pattern.test(line)) return { expected: want.text, found: line };
  }
  return undefined;
}

function linesOf(text: string): readonly string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.trimEnd().replaceAll(/ {2,}/g, " ").replaceAll(/-{3,}/g, "---"));
}

function toPattern(line: string, placeholders: Placeholders): RegExp {
  let pattern = "";
  let end = 0;
  for (const match of line.matchAll(PLACEHOLDER)) {
    const [whole, kind, name = ""] = match;
    pattern += escaped(line.slice(end, match.index));
    end = match.index + whole.length;
    if (kind === "time") pattern += TIME;
    else if (kind === "mac") pattern += MAC;
    else if (isPlaceholder(kind)) pattern += oneOf(placeholders[kind](name));
    else pattern += String.raw`\S+`;
  }
  return new RegExp(`^${pattern}${escaped(line.slice(end))}$`);
}

function isPlaceholder(kind: string | undefined): kind is Placeholder {
  return kind === "block" || kind === "block6" || kind === "pod" || kind === "pod6";
}

/** Any of the texts; where there is none nothing matches. */
function oneOf(texts: readonly string[]): string {
  return texts.length === 0 ? "(?!)" : `(?:${texts.map(escaped).join("|")})`;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
