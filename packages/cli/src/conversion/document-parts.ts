import { isRecord } from "@caracal/resources";
import { CliError } from "../cli-error.ts";

/** A document before anything is known of it. */
export type RawDocument = Readonly<Record<string, unknown>>;

/** Without the fields that are not set. */
export function present(fields: RawDocument): RawDocument {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== undefined && value !== null && !(isRecord(value) && Object.keys(value).length === 0),
    ),
  );
}

/** A field that is not understood must not get lost silently. */
export function refuseStray(fields: RawDocument, place: string): void {
  const [stray] = Object.keys(fields);
  if (stray !== undefined) throw new CliError(`${place} has a field that cannot be converted: ${stray}`);
}

/** A mapping, or none where there is no mapping. */
export function partOf(document: RawDocument, name: string): RawDocument {
  const part = document[name];
  return isRecord(part) ? part : {};
}

/** Text, or nothing. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
