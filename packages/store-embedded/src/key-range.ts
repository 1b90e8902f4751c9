/** Keys from `from` on, before `to`; without `to`, to the last key. Ordered by bytes. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
}

export const KeyRange: {
  /** etcd's pair: no end is the key alone, one zero byte is no end at all. */
  readonly of: (key: Uint8Array, rangeEnd: Uint8Array) => KeyRange;
  readonly single: (key: Uint8Array) => KeyRange;
  readonly contains: (range: KeyRange, key: Uint8Array) => boolean;
  readonly isEmpty: (range: KeyRange) => boolean;
  /** Equal ranges have equal texts. */
  readonly text: (range: KeyRange) => string;
} = {
  of: (key, rangeEnd) => {
    if (rangeEnd.length === 0) return single(key);
    return { from: key, to: rangeEnd.length === 1 && rangeEnd[0] === 0 ? undefined : rangeEnd };
  },
  single,
  contains: ({ from, to }, key) =>
    Buffer.compare(from, key) <= 0 && (to === undefined || Buffer.compare(key, to) < 0),
  isEmpty: ({ from, to }) => to !== undefined && Buffer.compare(from, to) >= 0,
  text: ({ from, to }) => `${hex(from)}-${to === undefined ? "" : hex(to)}`,
};

/** Nothing fits between a key and the key with one zero byte more. */
function single(key: Uint8Array): KeyRange {
  const to = new Uint8Array(key.length + 1);
  to.set(key);
  return { from: key, to };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
