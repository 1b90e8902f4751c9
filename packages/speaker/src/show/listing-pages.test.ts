/** Aim: a listing of any length arrives whole and in order. Method: listings around the bounds, several at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ListingPage, ListingPages } from "./listing-pages.ts";

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** All that is left of a listing, and in how many parts it came. */
function rest(pages: ListingPages, first: ListingPage): { entries: readonly unknown[]; partCount: number } {
  const entries = [...first.entries];
  let partCount = 1;
  for (let page: ListingPage | undefined = first; page?.next !== undefined; partCount += 1) {
    page = pages.continue(page.next);
    entries.push(...(page?.entries ?? []));
  }
  return { entries, partCount };
}

test("listings of every length come whole and in order", () => {
  const pages = new ListingPages();
  for (const count of [0, 1, 249, 250, 251, 500, 501, 10_000]) {
    const first = pages.begin(numbers(count));
    assert.ok(first.entries.length <= 250);
    assert.equal(first.next === undefined, count < 250, String(count));
    assert.deepEqual(rest(pages, first).entries, numbers(count));
  }
});

test("a pause ends a part, which may be empty", () => {
  const pages = new ListingPages();
  const { entries, partCount } = rest(pages, pages.begin([undefined, 1, undefined, undefined, 2]));
  assert.deepEqual(entries, [1, 2]);
  assert.equal(partCount, 4);
});

test("large entries make short parts", () => {
  const pages = new ListingPages();
  const large = Array.from({ length: 10 }, () => "x".repeat(400_000));
  const first = pages.begin(large);
  assert.equal(first.entries.length, 3);
  assert.deepEqual(rest(pages, first).entries, large);
});

test("a listing is read as it is asked for", () => {
  const pages = new ListingPages();
  let readCount = 0;
  function* endless(): Generator<number, void, undefined> {
    for (;;) yield (readCount += 1);
  }
  const first = pages.begin(endless());
  assert.equal(readCount, 250);
  assert.equal(pages.continue(first.next ?? "")?.entries[0], 251);
  assert.equal(readCount, 500);
  assert.equal(pages.continue(first.next ?? ""), undefined, "a part is not given twice");
});

test("a finished listing, and the oldest of too many, are forgotten", () => {
  const pages = new ListingPages();
  const done = pages.begin(numbers(251));
  assert.equal(rest(pages, done).entries.length, 251);
  assert.equal(pages.continue(done.next ?? ""), undefined);
  const [oldest, ...others] = Array.from({ length: 5 }, () => pages.begin(numbers(251)));
  assert.equal(pages.continue(oldest?.next ?? ""), undefined);
  for (const other of others) assert.equal(rest(pages, other).entries.length, 251);
  assert.equal(pages.continue("nonsense"), undefined);
});
