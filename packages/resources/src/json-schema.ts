import { type KindName, kinds } from "./kinds.ts";
import { apiVersion } from "./resource-schema.ts";
import { isRecord } from "./schema-reader.ts";

/** The JSON Schema of a kind as plain data, for editors and other tools. Text forms are in `format`, by our names. */
export function jsonSchemaOf(name: KindName): Readonly<Record<string, unknown>> {
  const plain: unknown = JSON.parse(JSON.stringify(kinds[name].schema, withoutMarks));
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: `${name} (${apiVersion})`,
    ...(isRecord(plain) ? plain : {}),
  };
}

function withoutMarks(keyword: string, value: unknown): unknown {
  return keyword === "~optional" ? undefined : value;
}
