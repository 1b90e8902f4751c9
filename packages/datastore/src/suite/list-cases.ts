import { compareKeys } from "../key-order.ts";
import { Canceller } from "../canceller.ts";
import { collect, same, type StoreCase, type StoreSubject, textOf, valueOf, written } from "./subject.ts";

/** More than stores usually put into one answer. */
const manyEntries = 1_200;
const writers = 16;

/** What listings promise. */
export const listCases: readonly StoreCase[] = [
  { name: "a listing is ordered by the bytes of the keys", needsAnyForm: true, run: byteOrder },
  { name: "a prefix finds what begins with it and nothing else", needsAnyForm: true, run: prefixEdges },
  { name: "a listing is complete, however long", run: complete },
  {
    name: "a watch goes on from a listing: with what came after it, and nothing before",
    run: listingRevision,
  },
];

async function byteOrder({ store, root }: StoreSubject): Promise<void> {
  // U+FFFF sorts before U+1F600 in bytes, after it in UTF-16 units.
  const names = ["b", "a", "a/b", "a-b", "a0", "B", "ä", "\uffff", "😀", "aa"];
  for (const name of names) written(await store.create(`${root}${name}`, name));
  const listed = (await store.list(root)).entries.map((entry) => entry.value);
  same(listed, ["B", "a", "a-b", "a/b", "a0", "aa", "b", "ä", "\uffff", "😀"], "the order");
}

async function prefixEdges({ store, root }: StoreSubject): Promise<void> {
  const names = [
    "node1/a",
    "node1/b",
    "node1",
    "node10/a",
    "node1.x",
    "node2/a",
    "\u{10ffff}x",
    "z\u{10ffff}",
  ];
  for (const name of names) written(await store.create(`${root}${name}`, name));
  const below = async (prefix: string): Promise<readonly string[]> =>
    (await store.list(`${root}${prefix}`)).entries.map((entry) => entry.value);
  same(await below("node1/"), ["node1/a", "node1/b"], "node1/");
  same(await below("node1"), ["node1", "node1.x", "node1/a", "node1/b", "node10/a"], "node1");
  same(await below("node3"), [], "node3");
  // The last code point there is: the end of such a range is not one more than its last byte.
  same(await below("\u{10ffff}"), ["\u{10ffff}x"], "the highest code point");
  same(await below("z\u{10ffff}"), ["z\u{10ffff}"], "the highest code point at the end");
  const everything = (await store.list("")).entries.filter((entry) => entry.key.startsWith(root));
  same(everything.length, names.length, "what the empty prefix finds of this case");
}

async function complete(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < manyEntries) {
      const name = String(next);
      next += 1;
      written(await store.create(`${root}${name}`, valueOf(subject, name)));
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  const found = (await store.list(root)).entries.map((entry) => entry.key);
  const expected = Array.from({ length: manyEntries }, (_, index) => `${root}${index}`).toSorted(compareKeys);
  same(found, expected, "the keys");
}

async function listingRevision(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const first = await store.list(root);
  written(await store.create(`${root}a`, valueOf(subject, "1")));
  const second = await store.list(root);
  same(second.revision === first.revision, false, "whether the revision stayed");
  written(await store.create(`${root}b`, valueOf(subject, "2")));
  const forever = new Canceller();
  for (const [{ revision }, expected] of [
    [first, ["1", "2"]],
    [second, ["2"]],
  ] as const) {
    const watch = store.watch(root, revision, forever);
    const events = await collect(watch, (seen) => seen.length >= expected.length);
    const texts = events.map((event) => (event.kind === "put" ? textOf(subject, event.entry.value) : ""));
    same(texts, expected, "what came after the listing");
  }
}
