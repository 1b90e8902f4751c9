import { problem } from "./problem.ts";
import type { Reading } from "./schema-reader.ts";

// Every current engine gives access to a number's source text; the compiler's library does not describe it yet.
declare global {
  interface JSON {
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
    rawJSON(text: string): object;
  }
}

/** Parses JSON; whole numbers beyond 2^53 become bigints instead of losing digits. Blank text is `{}`, as old records have it. */
export function parseJson(text: string): Reading<unknown> {
  if (text.trim() === "") return { kind: "ok", value: {} };
  try {
    // A reviver looks at every value, at several times the cost of the parsing: only texts that can need it get it.
    const value: unknown = /[0-9]{16}/.test(text) ? JSON.parse(text, reviveBigintegers) : JSON.parse(text);
    return { kind: "ok", value };
  } catch (error) {
    return {
      kind: "bad",
      problems: [problem("", undefined, `is not JSON: ${error instanceof Error ? error.message : ""}`)],
    };
  }
}

function reviveBigintegers(
  _key: string,
  found: unknown,
  { source = "" }: { readonly source?: string },
): unknown {
  const isBeyond = typeof found === "number" && !Number.isSafeInteger(found) && /^-?[0-9]+$/.test(source);
  return isBeyond ? BigInt(source) : found;
}

/** JSON text of a value, bigints as plain numbers. */
export function writeJson(value: unknown, indent = 0): string {
  const write = (_key: string, found: unknown): unknown =>
    typeof found === "bigint" ? JSON.rawJSON(String(found)) : found;
  return JSON.stringify(value, write, indent);
}

/** JSON as Calico's tools print it: fields in their declared order, two spaces. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
