import { type IpAddress, Prefix } from "@caracal/net";
import { isObject } from "../json-object.ts";

/**
 * The objects of a packet filter with sets and maps cut down to the elements that may matter for the addresses: an
 * element that names addresses, and none of these, is left out.
 */
export function objectsAbout(
  objects: readonly unknown[],
  addresses: readonly IpAddress[],
): readonly unknown[] {
  return objects.map((object) => {
    if (!isObject(object)) return object;
    const [kind, body] = Object.entries(object)[0] ?? [];
    if ((kind !== "set" && kind !== "map") || !isObject(body) || !Array.isArray(body["elem"])) return object;
    const elements: readonly unknown[] = body["elem"];
    return { [kind]: { ...body, elem: elements.filter((element) => isAbout(element, addresses)) } };
  });
}

function isAbout(element: unknown, addresses: readonly IpAddress[]): boolean {
  const named = [...prefixesIn(element)];
  return named.length === 0 || named.some((prefix) => addresses.some((one) => Prefix.contains(prefix, one)));
}

/** The addresses and prefixes that a set's element, or a map's key, names. A range counts as all that there is. */
function* prefixesIn(value: unknown): Generator<Prefix, void, undefined> {
  if (typeof value === "string") {
    const prefix = Prefix.parse(value);
    if (prefix !== undefined) yield prefix;
    return;
  }
  // Of a map's element only the key counts; what it maps to is no condition.
  if (Array.isArray(value)) {
    yield* prefixesIn(value[0]);
    return;
  }
  if (!isObject(value)) return;
  const { prefix, elem, concat } = value;
  if (isObject(prefix) && typeof prefix["addr"] === "string" && typeof prefix["len"] === "number") {
    const whole = Prefix.parse(`${prefix["addr"]}/${prefix["len"]}`);
    if (whole !== undefined) yield whole;
  }
  if (isObject(elem)) yield* prefixesIn(elem["val"]);
  if (Array.isArray(concat)) for (const part of concat) yield* prefixesIn(part);
}
