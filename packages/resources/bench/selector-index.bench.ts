/**
 * Which selectors match after an item's labels change: the index against trying every selector, on the same work.
 *
 *   node packages/resources/bench/selector-index.bench.ts [--quick]
 *
 * 10,000 selectors as policies have them (a namespace and an app; some with a set, a presence, a negation), 10,000 items,
 * 10,000 changes of one item's label each. Trying all is measured on fewer changes and scaled; rounds alternate and the best of
 * each is kept. Both find the same matches.
 */
import assert from "node:assert/strict";
import { type Labels, matchesSelector, parseSelector, type Selector, SelectorIndex } from "../src/index.ts";

const isQuick = process.argv.includes("--quick");
const selectorCount = isQuick ? 1000 : 10_000;
const changeCount = isQuick ? 1000 : 10_000;
const triedCount = Math.floor(changeCount / 20);
const rounds = 4;
const namespaceCount = 200;
const appCount = 100;

/** A small generator with a seed, so that every run does the same. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pick = random(7);

function selectorText(): string {
  const namespace = `projectcalico.org/namespace == 'ns-${pick(namespaceCount)}'`;
  const app = `app == 'app-${pick(appCount)}'`;
  switch (pick(10)) {
    case 0:
      return `${namespace} && tier in {'web', 'db-${pick(10)}'}`;
    case 1:
      return `${namespace} && has(role)`;
    case 2:
      return `${namespace} && tier != 'web'`;
    case 3:
      return `${namespace} && (${app} || version starts with 'v${pick(5)}')`;
    default:
      return `${namespace} && ${app}`;
  }
}

function someLabels(): Labels {
  return {
    "projectcalico.org/namespace": `ns-${pick(namespaceCount)}`,
    "projectcalico.org/orchestrator": "k8s",
    app: `app-${pick(appCount)}`,
    tier: pick(2) === 0 ? "web" : `db-${pick(10)}`,
    version: `v${pick(9)}.${pick(9)}`,
    ...(pick(3) === 0 ? { role: "leader" } : {}),
  };
}

const selectors: Selector[] = [];
while (selectors.length < selectorCount) {
  const parsing = parseSelector(selectorText());
  if (parsing.kind === "ok") selectors.push(parsing.selector);
}
const index = new SelectorIndex<number, number>();
const startMs = performance.now();
for (const [id, selector] of selectors.entries()) index.setSelector(id, selector);
const items = Array.from({ length: changeCount }, someLabels);
for (const [id, labels] of items.entries()) index.setLabels(id, labels);
const buildMs = performance.now() - startMs;

const changes = items.map((labels): Labels => ({ ...labels, app: `app-${pick(appCount)}` }));
let triedMatches = 0;
let indexMs = Infinity;
let triedMs = Infinity;
for (let round = 0; round < rounds; round++) {
  // Every other round takes the labels back, so that each has something to change.
  const next = round % 2 === 0 ? changes : items;
  const indexRoundMs = time(() => {
    for (const [id, labels] of next.entries()) index.setLabels(id, labels);
  });
  indexMs = Math.min(indexMs, indexRoundMs);
  triedMatches = 0;
  const triedRoundMs = time(() => {
    for (const labels of changes.slice(0, triedCount)) {
      for (const selector of selectors) if (matchesSelector(selector, labels)) triedMatches += 1;
    }
  });
  triedMs = Math.min(triedMs, triedRoundMs);
}
const indexed = changes.slice(0, triedCount).map((labels) => index.selectorsMatching(labels).length);
assert.equal(
  indexed.reduce((sum, count) => sum + count, 0),
  triedMatches,
);

const perChange = (indexMs / changeCount) * 1000;
const perTried = (triedMs / triedCount) * 1000;
console.log(`build: ${selectorCount} selectors, ${changeCount} items in ${buildMs.toFixed(0)} ms`);
console.log(
  `index: ${changeCount} label changes in ${indexMs.toFixed(0)} ms, ${perChange.toFixed(1)} µs each`,
);
console.log(`trying all: ${perTried.toFixed(0)} µs each (of ${triedCount} changes)`);
console.log(`ratio: ${(perTried / perChange).toFixed(0)} times faster`);

function time(work: () => void): number {
  const from = performance.now();
  work();
  return performance.now() - from;
}
