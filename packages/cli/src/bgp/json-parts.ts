/** The member of something that came as JSON; `undefined` where there is none. */
export function part(value: unknown, ...path: readonly string[]): unknown {
  let at: unknown = value;
  for (const key of path) {
    const next: unknown = typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined;
    at = next;
  }
  return at;
}

export function parts(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const list = part(value, ...path);
  return Array.isArray(list) ? list : [];
}

/** For a person: lists with blanks between, nothing for what is not there. */
export function textPart(value: unknown, ...path: readonly string[]): string {
  const found = part(value, ...path);
  if (Array.isArray(found)) return found.map(String).join(" ");
  const isSingle = typeof found === "string" || typeof found === "number" || typeof found === "boolean";
  return isSingle ? String(found) : "";
}
