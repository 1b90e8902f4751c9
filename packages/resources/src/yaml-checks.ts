import { Utf8 } from "@caracal/net";
import { type Document, isCollection, isScalar, type Node, Scalar, visit } from "yaml";
import { AmbiguousScalar, maxNesting } from "./ambiguous-scalar.ts";

/** Whether a document is nested too deeply to be a manifest. */
export function isDeep(document: Document.Parsed): boolean {
  let found = false;
  visit(document, {
    Node: (_key, _node, path) => {
      if (path.length <= maxNesting || path.filter(isCollection).length <= maxNesting) return undefined;
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

/** Marks the ambiguous values of a document, and makes text of what stands in base64 (`!!binary`). */
export function markAmbiguous(document: Document.Parsed): void {
  visit(document, {
    Scalar: (key, node) => {
      if (node.value instanceof Uint8Array) node.value = Utf8.decode(node.value);
      else if (key !== "key" && node.type === Scalar.PLAIN) mark(node);
    },
  });
}

/** Where in the text the first key is that its mapping has already. */
export function repeatedKey(document: Document.Parsed): number | undefined {
  let found: number | undefined;
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        // A number and its text name the same field.
        const name = String(key.value);
        if (seen.has(name) && name !== "<<") {
          found = key.range?.[0];
          return visit.BREAK;
        }
        seen.add(name);
      }
      return undefined;
    },
  });
  return found;
}

/** Where in the text the first key is that is a mapping or a list itself. */
export function nestedKey(document: Document.Parsed): number | undefined {
  let found: number | undefined;
  visit(document, {
    Collection: (key, node) => {
      if (key !== "key") return undefined;
      found = node.range?.[0];
      return visit.BREAK;
    },
  });
  return found;
}

/** Where in the text the first alias is that names no anchor before it. */
export function unresolvedAlias(document: Document.Parsed): number | undefined {
  return firstAlias(document, (named) => named === undefined);
}

/** Where in the text the first alias is that stands inside of what it names. */
export function aliasOfItself(document: Document.Parsed): number | undefined {
  return firstAlias(document, (named, path) => named !== undefined && path.includes(named));
}

function firstAlias(
  document: Document.Parsed,
  isMeant: (named: Node | undefined, path: readonly unknown[]) => boolean,
): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias: (_key, node, path) => {
      if (!isMeant(node.resolve(document), path)) return undefined;
      found = node.range?.[0];
      return visit.BREAK;
    },
  });
  return found;
}

function mark(node: Scalar): void {
  const { source, value } = node;
  if (source === undefined) return;
  if (/^(yes|no|on|off)$/i.test(source)) {
    if (typeof value === "string") node.value = new AmbiguousScalar(source, /^(yes|on)$/i.test(source));
  } else if (/^[-+]?0[0-9_]+$/.test(source)) {
    node.value = new AmbiguousScalar(source, Number(source.replaceAll("_", "")), true);
  } else if (/^[-+]?[0-9][0-9_]*_[0-9_]*$/.test(source)) {
    node.value = new AmbiguousScalar(source, Number(source.replaceAll("_", "")));
  } else if (typeof value === "number" && Number.isFinite(value) && String(value) !== source) {
    node.value = new AmbiguousScalar(source, value);
  }
}
