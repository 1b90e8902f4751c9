import { isDeepStrictEqual } from "node:util";
import { isRecord } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { setOwn } from "./merge-patch.ts";

/** `target` with a JSON patch on it (RFC 6902): its operations in order; one that fails throws `CliError`. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new CliError("a JSON patch is a list of operations");
  const operations: readonly unknown[] = patch;
  return operations.reduce((document, operation) => applyOperation(document, operation), target);
}

function applyOperation(document: unknown, operation: unknown): unknown {
  if (!isRecord(operation)) throw new CliError("an operation of a JSON patch is a mapping of fields");
  const { op, value } = operation;
  const path = parsePointer(operation.path, "path");
  switch (op) {
    case "add":
      return edit(document, path, (parent, key) => insert(parent, key, value), value);
    case "remove":
      return edit(document, path, (parent, key) => remove(parent, key), undefined);
    case "replace":
      read(document, path);
      return edit(document, path, (parent, key) => insert(remove(parent, key), key, value), value);
    case "move": {
      const from = parsePointer(operation.from, "from");
      const moved = read(document, from);
      const without = edit(document, from, (parent, key) => remove(parent, key), undefined);
      return edit(without, path, (parent, key) => insert(parent, key, moved), moved);
    }
    case "copy": {
      const copied = read(document, parsePointer(operation.from, "from"));
      return edit(document, path, (parent, key) => insert(parent, key, copied), copied);
    }
    case "test":
      if (isDeepStrictEqual(read(document, path), value)) return document;
      throw new CliError(`the JSON patch's test of ${pointer(path)} failed`);
    default:
      throw new CliError(`unknown operation '${String(op)}' in the JSON patch`);
  }
}

/** RFC 6901: `/spec/bgp`, where `~1` is a slash and `~0` a tilde. */
function parsePointer(text: unknown, field: string): readonly string[] {
  if (typeof text !== "string" || (text !== "" && !text.startsWith("/"))) {
    throw new CliError(`the JSON patch needs a ${field} such as /spec/bgp`);
  }
  return text === ""
    ? []
    : text
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function pointer(path: readonly string[]): string {
  return `/${path.join("/")}`;
}

function read(document: unknown, path: readonly string[]): unknown {
  let value = document;
  for (const [depth, key] of path.entries()) {
    value = child(value, key);
    if (value === undefined)
      throw new CliError(`the JSON patch's ${pointer(path.slice(0, depth + 1))} is not there`);
  }
  return value;
}

function child(parent: unknown, key: string): unknown {
  if (Array.isArray(parent)) {
    const list: readonly unknown[] = parent;
    return /^(0|[1-9]\d*)$/.test(key) ? list[Number(key)] : undefined;
  }
  return isRecord(parent) && Object.hasOwn(parent, key) ? parent[key] : undefined;
}

/** A copy of `document` in which `change` made a new parent of the last key; the whole document becomes `whole`. */
function edit(
  document: unknown,
  path: readonly string[],
  change: (parent: unknown, key: string) => unknown,
  whole: unknown,
): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return whole;
  if (rest.length === 0) return change(document, key);
  const inner = edit(read(document, [key]), rest, change, whole);
  if (Array.isArray(document)) return document.with(Number(key), inner);
  const copy: Record<string, unknown> = isRecord(document) ? { ...document } : {};
  setOwn(copy, key, inner);
  return copy;
}

function insert(parent: unknown, key: string, value: unknown): unknown {
  if (Array.isArray(parent)) {
    const list: readonly unknown[] = parent;
    const index = key === "-" ? list.length : indexOf(key, list.length);
    return list.toSpliced(index, 0, value);
  }
  if (!isRecord(parent)) throw new CliError(`the JSON patch's parent of ${key} is not there`);
  const copy: Record<string, unknown> = { ...parent };
  setOwn(copy, key, value);
  return copy;
}

function remove(parent: unknown, key: string): unknown {
  if (child(parent, key) === undefined) throw new CliError(`the JSON patch's ${key} is not there`);
  if (Array.isArray(parent)) return parent.toSpliced(Number(key), 1);
  return isRecord(parent)
    ? Object.fromEntries(Object.entries(parent).filter(([name]) => name !== key))
    : parent;
}

function indexOf(key: string, length: number): number {
  const index = Number(key);
  if (/^(0|[1-9]\d*)$/.test(key) && index <= length) return index;
  throw new CliError(`the JSON patch's index ${key} is outside the list`);
}
