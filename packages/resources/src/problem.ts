/** One thing wrong with a resource: where, what was found, why it is refused and what would be accepted. */
export interface Problem {
  /** Path in the document: `spec.ipipMode`, `items[2].spec.cidr`. */
  readonly path: string;
  /** The field as Calico's error texts name it; the last part of the path unless a rule says otherwise. */
  readonly field: string;
  /** What was found, as text; absent when nothing was there. */
  readonly found?: string;
  readonly reason: string;
  /** The values, or the form, that would be accepted. */
  readonly allowed?: string;
  /** The field is unknown rather than wrong: Calico words this differently. */
  readonly unknownField?: true;
}

/** A problem at `path`; `field` defaults to the path's last part. */
export function problem(
  path: string,
  found: unknown,
  reason: string,
  more: { readonly field?: string; readonly allowed?: string } = {},
): Problem {
  return {
    path,
    field: more.field ?? lastPart(path),
    ...(found === undefined ? {} : { found: display(found) }),
    reason,
    ...(more.allowed === undefined ? {} : { allowed: more.allowed }),
  };
}

/**
 * The problems as one error text in Calico's words:
 * `error with field <F> = '<value>' (<reason>)`, or the list form when there are several.
 */
export function describeProblems(problems: readonly Problem[]): string {
  const unknown = problems.find((one) => one.unknownField);
  if (unknown !== undefined) return unknown.reason;
  const [first, ...rest] = problems;
  if (first === undefined) return "";
  if (rest.length === 0) return `error with field ${describeField(first)}`;
  return `error with the following fields:${problems.map((one) => `\n-  ${describeField(one)}`).join("")}`;
}

/** A value as error texts print it: text bare, anything else as JSON. */
export function display(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  const text: string | undefined = JSON.stringify(value);
  return text ?? String(value);
}

function describeField(one: Problem): string {
  const found = one.found === undefined ? "" : ` = '${shorten(one.found)}'`;
  const allowed = one.allowed === undefined ? "" : `; allowed: ${one.allowed}`;
  return `${one.field}${found} (${one.reason}${allowed})`;
}

/** Characters of a value that an error text repeats: it stays a line to read. */
const maxFound = 200;

function shorten(text: string): string {
  const shown = text.length <= maxFound ? text : `${text.slice(0, maxFound)}…`;
  // A message is a line, whatever was found.
  return shown.replaceAll(/\p{Cc}/gu, (control) => JSON.stringify(control).slice(1, -1));
}

function lastPart(path: string): string {
  return path === "" ? "document" : path.slice(path.lastIndexOf(".") + 1);
}
