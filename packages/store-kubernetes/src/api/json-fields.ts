import { isRecord } from "@caracal/resources";

/** A JSON object of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The members of a mapping; none for anything else. */
export function fields(value: unknown): JsonObject {
  return isRecord(value) ? value : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The text, unless it is empty or none. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The members that are text. */
export function texts(value: unknown): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, member] of Object.entries(fields(value))) {
    if (typeof member === "string") found[name] = member;
  }
  return found;
}

/** Without members that are undefined. */
export function present(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** The map, or undefined for an empty one. */
export function unlessEmpty<Map extends object>(map: Map): Map | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}
