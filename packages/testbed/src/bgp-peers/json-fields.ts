/** Careful looks into the JSON that a daemon's client printed: what is not there, or of another kind, is `undefined`. */

export function member(value: unknown, key: string): unknown {
  const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return found;
}

export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textAt(value: unknown, key: string): string | undefined {
  const found = member(value, key);
  return typeof found === "string" ? found : undefined;
}

export function numberAt(value: unknown, key: string): number | undefined {
  const found = member(value, key);
  return typeof found === "number" ? found : undefined;
}

export function entries(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

/** Text of a client as JSON; one that is empty is an empty mapping. */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text.trim() === "" ? "{}" : text);
  return value;
}
