// What the prefix index costs against the plain way, a Map per prefix length: 500,000 IPv4 prefixes with the lengths
// of an Internet table are inserted, then matched against random addresses inside and outside of them.
// Rounds alternate; the best of each is kept. Run: npm run bench -- prefix-index
import { Ipv4, noSlot, PrefixIndex } from "@caracal/net";

const prefixCount = 500_000;
const lookupCount = 1_000_000;
const rounds = 3;
/** Share of each length, in percent, roughly as in a default-free table. */
const lengthShares = [
  [24, 59],
  [23, 10],
  [22, 11],
  [21, 5],
  [20, 5],
  [19, 4],
  [18, 2],
  [17, 1],
  [16, 2],
  [12, 1],
] as const;

interface Peer {
  readonly insert: (address: Ipv4, length: number, slot: number) => void;
  readonly match: (address: Ipv4) => number;
}

function indexPeer(): Peer {
  const index = new PrefixIndex(4);
  return {
    insert: (address, length) => void index.add(address, length),
    match: (address) => index.match(address),
  };
}

function mapPeer(): Peer {
  const maps = Array.from({ length: 33 }, () => new Map<number, number>());
  return {
    insert: (address, length, slot) => void maps[length]?.set(address, slot),
    match: (address) => {
      for (let length = 32; length >= 0; length -= 1) {
        const map = maps[length];
        const found =
          map === undefined || map.size === 0 ? undefined : map.get(Ipv4.of(address & Ipv4.mask(length)));
        if (found !== undefined) return found;
      }
      return noSlot;
    },
  };
}

/** xorshift32: the same inputs every time. */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const random = randomSource(0x2545f491);
const lengths = new Uint8Array(prefixCount);
const addresses = new Uint32Array(prefixCount);
for (let index = 0; index < prefixCount; index += 1) {
  let share = random() % 100;
  const length = lengthShares.find(([, percent]) => (share -= percent) < 0)?.[0] ?? 24;
  lengths[index] = length;
  addresses[index] = random() & Ipv4.mask(length);
}
const wanted = Uint32Array.from({ length: lookupCount }, (_, index) =>
  index % 2 === 0 ? random() : (addresses[random() % prefixCount] ?? 0) + (random() & 255),
);

function measure(makePeer: () => Peer): { insertMs: number; matchMs: number; hits: number; heapMb: number } {
  globalThis.gc?.();
  const before = process.memoryUsage();
  const peer = makePeer();
  const started = performance.now();
  for (let index = 0; index < prefixCount; index += 1) {
    peer.insert(Ipv4.of(addresses[index] ?? 0), lengths[index] ?? 0, index);
  }
  const inserted = performance.now();
  let hits = 0;
  for (const address of wanted) if (peer.match(Ipv4.of(address)) !== noSlot) hits += 1;
  const matched = performance.now();
  globalThis.gc?.();
  const after = process.memoryUsage();
  // Asked once more, so that the peer is still alive when memory is counted.
  if (peer.match(Ipv4.of(0)) === lookupCount) throw new Error("no such slot");
  const heapMb = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 2 ** 20;
  return { insertMs: inserted - started, matchMs: matched - inserted, hits, heapMb };
}

const best = { index: measure(indexPeer), map: measure(mapPeer) };
for (let round = 1; round < rounds; round += 1) {
  for (const [name, makePeer] of [
    ["map", mapPeer],
    ["index", indexPeer],
  ] as const) {
    const result = measure(makePeer);
    const kept = best[name];
    best[name] = {
      hits: result.hits,
      insertMs: Math.min(kept.insertMs, result.insertMs),
      matchMs: Math.min(kept.matchMs, result.matchMs),
      heapMb: Math.min(kept.heapMb, result.heapMb),
    };
  }
}
if (best.index.hits !== best.map.hits)
  throw new Error(`index found ${best.index.hits}, maps ${best.map.hits}`);
const perSecond = (count: number, ms: number): string => `${(count / ms / 1000).toFixed(2)} M/s`;
console.log(
  `prefix index, ${prefixCount} prefixes: insert ${perSecond(prefixCount, best.index.insertMs)} against Map per length ${perSecond(prefixCount, best.map.insertMs)}, ratio ${(best.map.insertMs / best.index.insertMs).toFixed(2)}`,
);
console.log(
  `prefix index, longest match: ${perSecond(lookupCount, best.index.matchMs)} against Map per length ${perSecond(lookupCount, best.map.matchMs)}, ratio ${(best.map.matchMs / best.index.matchMs).toFixed(2)}`,
);
console.log(`memory: index ${best.index.heapMb.toFixed(1)} MiB, maps ${best.map.heapMb.toFixed(1)} MiB`);
