import { isRecord } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { mergePatch, setOwn } from "./merge-patch.ts";

/**
 * `target` with a strategic merge patch on it, as Kubernetes has them: a merge patch with directives. Of the lists of Calico's
 * resources only two are merged rather than replaced, both of them in the metadata.
 */
export function strategicPatch(target: unknown, patch: unknown): unknown {
  return isRecord(patch) ? patchMap(target, patch, "") : patch;
}

/** Lists that are merged: by a field of their items, or as sets of words. */
const mergedLists: Readonly<Record<string, string | null>> = {
  "metadata.finalizers": null,
  "metadata.ownerReferences": "uid",
};

const deleteFromList = "$deleteFromPrimitiveList/";
const orderOfList = "$setElementOrder/";

type Fields = Readonly<Record<string, unknown>>;

function patchMap(target: unknown, patch: Fields, path: string): unknown {
  const { $patch: directive = "merge", $retainKeys: retained, ...fields } = patch;
  if (directive === "delete") return undefined;
  if (directive !== "merge" && directive !== "replace") {
    throw new CliError(`unknown $patch '${String(directive)}': it is merge, replace or delete`);
  }
  const isMerge = directive === "merge" && isRecord(target);
  const result: Record<string, unknown> = isMerge ? { ...target } : {};
  for (const [name, value] of Object.entries(fields)) {
    // An order only matters where a list is merged by its items' places, and none is.
    if (name.startsWith(orderOfList)) continue;
    if (name.startsWith(deleteFromList)) {
      const field = name.slice(deleteFromList.length);
      if (Object.hasOwn(result, field)) setOwn(result, field, without(result[field], value));
      continue;
    }
    const at = path === "" ? name : `${path}.${name}`;
    const patched = patchField(Object.hasOwn(result, name) ? result[name] : undefined, value, at);
    if (patched === undefined) delete result[name];
    else setOwn(result, name, patched);
  }
  if (!Array.isArray(retained)) return result;
  const names: readonly unknown[] = retained;
  return Object.fromEntries(Object.entries(result).filter(([name]) => names.includes(name)));
}

/** The field's new value; `undefined` removes it. */
function patchField(before: unknown, value: unknown, path: string): unknown {
  if (value === null) return undefined;
  if (isRecord(value)) return patchMap(before, value, path);
  const key = Object.hasOwn(mergedLists, path) ? mergedLists[path] : undefined;
  if (!Array.isArray(value) || !Array.isArray(before) || key === undefined) return value;
  return key === null ? [...new Set([...before, ...value])] : mergeByKey(before, value, key);
}

function mergeByKey(
  before: readonly unknown[],
  patches: readonly unknown[],
  key: string,
): readonly unknown[] {
  const keyOf = (item: unknown): unknown => (isRecord(item) ? item[key] : undefined);
  const result = [...before];
  for (const patch of patches) {
    const at = result.findIndex((item) => keyOf(item) === keyOf(patch));
    if (isRecord(patch) && patch["$patch"] === "delete") result.splice(at, at < 0 ? 0 : 1);
    else if (at < 0) result.push(patch);
    else result[at] = mergePatch(result[at], patch);
  }
  return result;
}

function without(list: unknown, words: unknown): unknown {
  if (!Array.isArray(list) || !Array.isArray(words)) return list;
  const gone: readonly unknown[] = words;
  return list.filter((item: unknown) => !gone.includes(item));
}
