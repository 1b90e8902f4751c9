/** Aim: a listing of any length arrives whole, in order and as it was. Method: listings around the bounds, several at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Origin, type RouteSnapshot } from "@caracal/bgp";
import { Ipv4, Prefix } from "@caracal/net";
import { type RoutePage, RoutePages } from "./route-pages.ts";

function routes(count: number): readonly RouteSnapshot[] {
  return Array.from({ length: count }, (_, index) => ({
    prefix: Prefix.of(Ipv4.of(index << 8), 24),
    source: { kind: "local" },
    from: undefined,
    pathId: 0,
    attributes: { origin: Origin.igp, asPath: [] },
    best: true,
    state: "valid",
    stale: false,
    igpMetric: undefined,
    sinceS: 0,
  }));
}

function rest(pages: RoutePages, first: RoutePage): readonly RouteSnapshot[] {
  const all = [...first.routes];
  for (let page: RoutePage | undefined = first; page?.next !== undefined;) {
    page = pages.continue(page.next);
    all.push(...(page?.routes ?? []));
  }
  return all;
}

test("listings of every length come whole and in order", () => {
  const pages = new RoutePages();
  for (const count of [0, 1, 249, 250, 251, 500, 501, 10_000]) {
    const listing = routes(count);
    const first = pages.begin(listing);
    assert.equal(first.next === undefined, count <= 250, String(count));
    assert.deepEqual(rest(pages, first), listing);
  }
});

test("a finished listing, and the oldest of too many, are forgotten", () => {
  const pages = new RoutePages();
  const listing = routes(251);
  const done = pages.begin(listing);
  assert.deepEqual(rest(pages, done), listing);
  assert.equal(pages.continue(done.next ?? ""), undefined);
  const [oldest, ...others] = Array.from({ length: 5 }, () => pages.begin(listing));
  assert.equal(pages.continue(oldest?.next ?? ""), undefined);
  for (const other of others) assert.equal(rest(pages, other).length, 251);
  assert.equal(pages.continue("nonsense"), undefined);
});
