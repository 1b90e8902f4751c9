import type { SQLOutputValue } from "node:sqlite";

/** One row as an array: the statements here ask for that, and for integers as `bigint`. */
export type Row = readonly SQLOutputValue[];

export function integerAt(row: Row, column: number): bigint {
  const value = row[column];
  if (typeof value !== "bigint") throw new TypeError(`column ${column} holds no integer`);
  return value;
}

export function bytesAt(row: Row, column: number): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new TypeError(`column ${column} holds no bytes`);
  return value;
}

/** What `get` of a statement that returns arrays gave. */
export function asRow(result: unknown): Row | undefined {
  if (result === undefined) return undefined;
  if (!isRow(result)) throw new TypeError("the statement does not return arrays");
  return result;
}

export function asRows(results: readonly unknown[]): readonly Row[] {
  if (!results.every(isRow)) throw new TypeError("the statement does not return arrays");
  return results;
}

function isRow(result: unknown): result is Row {
  return Array.isArray(result);
}
