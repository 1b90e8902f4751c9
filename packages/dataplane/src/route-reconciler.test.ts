// Aim: the reconciler's clockwork: resync, lost news, bounds, and convergence under chaos. Method: the kernel in memory
// and virtual time; a seeded simulation that checks after every step that no alien's route was touched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import { RouteType } from "@caracal/netlink";
import fc from "fast-check";
import { type DesiredRoute, routeKey } from "./desired-route.ts";
import { FakeKernel } from "./fake-kernel.ts";
import { FaultyKernel, type KernelStep } from "./faulty-kernel.ts";
import { RouteReconciler, type RouteReconcilerLimits } from "./route-reconciler.ts";
import { address, route, shown, wishVia } from "./suite/subject.ts";
import { VirtualClock } from "./virtual-clock.ts";

interface Bench {
  readonly fake: FakeKernel;
  readonly clock: VirtualClock;
  readonly reconciler: RouteReconciler;
  readonly steps: readonly KernelStep[];
}

function bench(
  limits: Partial<RouteReconcilerLimits> = {},
  fails: (step: KernelStep) => boolean = () => false,
): Bench {
  const fake = new FakeKernel();
  const clock = new VirtualClock();
  fake.addLink("up0");
  fake.setLinkUp("up0", true);
  fake.addAddress("up0", address("10.99.0.1"), 24);
  const steps: KernelStep[] = [];
  const kernel = new FaultyKernel(fake, (step) => {
    steps.push(step);
    return fails(step);
  });
  const sources = [
    { name: "blocks", owns: { protocols: [80] }, graceMs: 0 },
    { name: "bgp", owns: { protocols: [12] }, graceMs: 0 },
  ];
  return { fake, clock, reconciler: new RouteReconciler({ kernel, clock, sources, limits }), steps };
}

const blackhole: DesiredRoute = {
  destination: Prefix.parse("10.244.1.0/26") ?? assert.fail(),
  type: 6,
  protocol: 12,
};

test("nothing is done before the start, and nothing after the stop", async () => {
  const { clock, reconciler, steps } = bench();
  reconciler.update("bgp", [blackhole]);
  await clock.advance(1e6);
  assert.deepEqual(steps, []);
  reconciler.start();
  reconciler.start();
  await clock.advance(1);
  reconciler.stop();
  const before = steps.length;
  reconciler.update("bgp", [], [blackhole]);
  reconciler.resync();
  await clock.advance(1e6);
  assert.equal(steps.length, before);
  assert.equal((await reconciler.settled()).wantedCount, 0);
});

test("a change that nobody told is found by the periodic dump", async () => {
  const { fake, clock, reconciler } = bench({ resyncMs: 5000 });
  reconciler.update("bgp", [blackhole]);
  reconciler.start();
  await clock.advance(100);
  fake.alienUnnoticed({ kind: "delete", route: route("10.244.1.0/26") });
  await clock.advance(4000);
  assert.deepEqual(await shown({ kernel: fake }), []);
  await clock.advance(2000);
  assert.deepEqual(await shown({ kernel: fake }), ["10.244.1.0/26 type 6 proto 12"]);
});

test("dumps come as often as was said last", async () => {
  const { clock, reconciler, steps } = bench();
  const dumps = (): number => steps.filter((step) => step === "dumpRoutes").length;
  reconciler.start();
  reconciler.resyncEvery(1000);
  await clock.advance(10_001);
  assert.ok(dumps() >= 10, `${dumps()} dumps`);
  reconciler.resyncEvery(Infinity);
  await clock.advance(1000);
  const before = dumps();
  await clock.advance(1e6);
  assert.equal(dumps(), before);
  reconciler.stop();
});

test("a source that knows its routes by something else lets go of what it knew before", async () => {
  const { fake, clock, reconciler } = bench();
  const foreign = { ...route("10.244.2.0/26"), protocol: 77 };
  fake.alien({ kind: "add", route: foreign });
  reconciler.start();
  reconciler.complete("blocks");
  await clock.advance(10);
  assert.equal((await shown({ kernel: fake })).length, 1);
  reconciler.own("blocks", { protocols: [80, 77] });
  await clock.advance(10);
  assert.deepEqual(await shown({ kernel: fake }), []);
  reconciler.stop();
});

test("lost news cause a dump at once", async () => {
  const { fake, clock, reconciler } = bench();
  reconciler.update("bgp", [blackhole]);
  reconciler.start();
  await clock.advance(100);
  fake.alienUnnoticed({ kind: "delete", route: route("10.244.1.0/26") });
  fake.overrun();
  assert.equal(reconciler.status.ready, false);
  await clock.advance(1);
  assert.deepEqual(await shown({ kernel: fake }), ["10.244.1.0/26 type 6 proto 12"]);
});

test("a small change costs one operation and no dump", async () => {
  const { clock, reconciler, steps } = bench();
  reconciler.replace(
    "bgp",
    Array.from({ length: 100 }, (_, i) => wishVia(`10.244.${i}.0/24`, "10.99.0.2")),
  );
  reconciler.start();
  await clock.advance(100);
  const before = steps.length;
  reconciler.update("bgp", [wishVia("10.245.0.0/24", "10.99.0.2")]);
  await clock.advance(1000);
  assert.deepEqual(steps.slice(before), ["add", "apply"]);
  reconciler.replace("bgp", [
    ...Array.from({ length: 100 }, (_, i) => wishVia(`10.244.${i}.0/24`, "10.99.0.2")),
    wishVia("10.245.0.0/24", "10.99.0.2"),
  ]);
  await clock.advance(1000);
  assert.equal(steps.length, before + 2);
});

test("news that concern nobody cause no dump", async () => {
  const { fake, clock, reconciler, steps } = bench();
  reconciler.update("bgp", [blackhole]);
  reconciler.start();
  await clock.advance(100);
  const before = steps.length;
  for (let i = 0; i < 50; i += 1) {
    fake.alien({ kind: "add", route: route(`10.1.${i}.0/24`, { protocol: 4 }) });
    fake.addLink(`other${i}`);
    fake.setLinkUp(`other${i}`, true);
    fake.deleteLink(`other${i}`);
  }
  await clock.advance(1000);
  assert.equal(steps.length, before);
  assert.equal(reconciler.status.ready, true);
});

test("what somebody else installed as wanted is taken over without an operation", async () => {
  const { fake, clock, reconciler, steps } = bench();
  reconciler.start();
  await clock.advance(100);
  const before = steps.length;
  reconciler.update("bgp", [blackhole]);
  fake.alien({ kind: "add", route: route("10.244.1.0/26") });
  await clock.advance(1000);
  assert.deepEqual(steps.slice(before), []);
  assert.equal(reconciler.status.ready, true);
});

test("more news than are kept end in a dump", async () => {
  let news = 10;
  const made: Bench = bench({ newsMax: 3 }, (step) => {
    // During the first dump, so that news pile up.
    for (; step === "dumpRoutes" && news > 0; news -= 1) {
      made.fake.alien({ kind: "add", route: route(`10.1.${news}.0/24`, { protocol: 4 }) });
    }
    return false;
  });
  made.reconciler.start();
  await made.clock.advance(10);
  assert.equal(made.steps.filter((step) => step === "dumpRoutes").length, 2);
});

test("operations are handed over in bounded parts", async () => {
  const { clock, reconciler, steps } = bench({ operationsPerApply: 10 });
  reconciler.replace(
    "bgp",
    Array.from({ length: 25 }, (_, i) => wishVia(`10.244.${i}.0/24`, "10.99.0.2")),
  );
  reconciler.start();
  await clock.advance(100);
  assert.equal(steps.filter((step) => step === "apply").length, 3);
});

test("a kernel that fails as a whole is asked less and less often, and the failure is told until it heals", async () => {
  let broken = true;
  const { clock, reconciler, steps } = bench({ retryMinMs: 100, retryMaxMs: 1000 }, () => broken);
  reconciler.update("bgp", [blackhole]);
  reconciler.start();
  await clock.advance(10_000);
  assert.equal(steps.length, 13);
  assert.equal(reconciler.status.kernelFailure, "injected: the dump was torn");
  assert.equal(reconciler.status.settled, false);
  broken = false;
  await clock.advance(1000);
  assert.equal(reconciler.status.ready, true);
  assert.equal(reconciler.status.kernelFailure, undefined);
});

test("a source cannot ask for what it would not own, and unknown sources are refused", () => {
  const { reconciler } = bench();
  assert.throws(() => reconciler.update("bgp", [{ ...blackhole, protocol: 4 }]), RangeError);
  assert.throws(() => reconciler.update("bgp", [{ ...blackhole, table: 99 }]), RangeError);
  assert.throws(() => reconciler.complete("nobody"), RangeError);
});

test("where two sources want one place, the first named has it, and the second gets it afterwards", async () => {
  const { fake, clock, reconciler } = bench();
  const own: DesiredRoute = { ...blackhole, protocol: 80 };
  reconciler.update("bgp", [blackhole]);
  reconciler.update("blocks", [own]);
  reconciler.start();
  await clock.advance(100);
  assert.deepEqual(await shown({ kernel: fake }), ["10.244.1.0/26 type 6 proto 80"]);
  reconciler.update("blocks", [], [own]);
  await clock.advance(100);
  assert.deepEqual(await shown({ kernel: fake }), ["10.244.1.0/26 type 6 proto 12"]);
});

type Move =
  | { readonly kind: "want" | "unwant"; readonly place: number; readonly gateway: number }
  | { readonly kind: "alienAdd" | "alienDelete" | "steal" | "forge"; readonly place: number }
  | { readonly kind: "flap" | "overrun" | "wait" };

const place = fc.nat(5);
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ kind: fc.constantFrom("want", "unwant"), place, gateway: fc.integer({ min: 2, max: 4 }) }),
  fc.record({ kind: fc.constantFrom("alienAdd", "alienDelete", "steal", "forge"), place }),
  fc.record({ kind: fc.constantFrom("flap", "overrun", "wait") }),
);

/** Plays one move, keeping the books of what is wanted and of what aliens have. */
async function play(
  move: Move,
  { fake, clock, reconciler }: Bench,
  wanted: Map<number, DesiredRoute>,
  aliens: Set<number>,
): Promise<void> {
  const text = "place" in move ? `10.244.${move.place}.0/24` : "";
  switch (move.kind) {
    case "want": {
      const wish = wishVia(text, `10.99.0.${move.gateway}`);
      wanted.set(move.place, wish);
      reconciler.update("bgp", [wish]);
      break;
    }
    case "unwant":
      wanted.delete(move.place);
      reconciler.update("bgp", [], [wishVia(text, "10.99.0.2")]);
      break;
    case "alienAdd":
      if (fake.alien({ kind: "add", route: route(text, { protocol: 4 }) }).kind === "done")
        aliens.add(move.place);
      break;
    case "alienDelete":
      fake.alien({ kind: "delete", route: route(text, { protocol: 4 }) });
      aliens.delete(move.place);
      break;
    case "forge":
      fake.alien({ kind: "add", route: route(text) });
      break;
    case "steal": {
      const [ours] = (await fake.dumpRoutes()).filter(
        (one) => one.protocol === 12 && routeKey(one).startsWith(text),
      );
      if (ours !== undefined) fake.alien({ kind: "delete", route: ours });
      break;
    }
    case "flap":
      fake.setLinkUp("up0", false);
      await clock.advance(3);
      fake.setLinkUp("up0", true);
      break;
    case "overrun":
      fake.overrun();
      break;
    case "wait":
      await clock.advance(200);
  }
}

test("under any mix of wishes, aliens, losses and faults, no alien is touched and all converges", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(move, { maxLength: 40 }),
      fc.array(fc.nat(9), { maxLength: 60 }),
      async (moves, faults) => {
        let next = 0;
        const made = bench({ retryMinMs: 5, retryMaxMs: 20, noticeDelayMs: 2 }, () => faults[next++] === 0);
        const wanted = new Map<number, DesiredRoute>();
        const aliens = new Set<number>();
        made.reconciler.start();
        for (const one of moves) {
          await play(one, made, wanted, aliens);
          await made.clock.step(made.clock.now() + 1);
          const there = (await made.fake.dumpRoutes()).filter(({ protocol }) => protocol === 4);
          assert.equal(there.length, aliens.size, "an alien's route was touched");
        }
        await made.clock.advance(5000);
        const expected = [...wanted].filter(([at]) => !aliens.has(at));
        const ours = (await made.fake.dumpRoutes()).filter(({ protocol }) => protocol === 12);
        assert.deepEqual(
          ours.map((one) => `${routeKey(one)} ${one.nextHops[0]?.gateway ?? one.type}`).toSorted(),
          expected
            .map(([, wish]) => `${routeKey(wish)} ${wish.nextHops?.[0]?.gateway ?? RouteType.RTN_BLACKHOLE}`)
            .toSorted(),
        );
        assert.equal(made.reconciler.status.conflicts.length, wanted.size - expected.length);
        made.reconciler.stop();
      },
    ),
    { numRuns: 150, seed: Number(process.env["SEED"] ?? 6) },
  );
});
