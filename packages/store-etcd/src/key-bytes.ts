const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Keys and values travel as bytes; ours are UTF-8. */
export function toBytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

export function toText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** etcd's name for "no end": a single zero byte. */
const toTheEnd = new Uint8Array([0]);

/** The key range that holds exactly the keys with a prefix. */
export function prefixRange(prefix: string): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  // etcd has no empty key: the range of everything starts at the zero byte.
  if (prefix === "") return { key: toTheEnd, rangeEnd: toTheEnd };
  const key = toBytes(prefix);
  const end = key.slice();
  // The first key behind the prefix: one more than its last byte. UTF-8 has no byte 0xff, so there is no carry.
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { key, rangeEnd: end };
}

/** The smallest key behind `key`. */
export function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
