import { isRecord } from "@caracal/resources";

/** `target` with a JSON merge patch on it (RFC 7396): fields replace fields, null removes, a list replaces a list. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else setOwn(result, field, mergePatch(result[field], value));
  }
  return result;
}

/** Sets a field of any name, `__proto__` too, as data. */
export function setOwn(target: Record<string, unknown>, field: string, value: unknown): void {
  Object.defineProperty(target, field, { value, enumerable: true, configurable: true, writable: true });
}
