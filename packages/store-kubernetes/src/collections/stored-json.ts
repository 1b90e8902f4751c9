import { StoreError } from "@caracal/datastore";
import { isRecord, parseJson } from "@caracal/resources";
import type { JsonObject } from "../api/json-fields.ts";

/** A value to be written, which must be a JSON object: that is what the API server keeps. */
export function readValue(key: string, value: string): JsonObject {
  const reading = parseJson(value);
  if (reading.kind === "ok" && isRecord(reading.value)) return reading.value;
  throw new StoreError("invalid", `the value of ${key} is not a JSON object`);
}
