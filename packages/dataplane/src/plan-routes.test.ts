// Aim: a plan reaches what is wanted, in an order that loses no traffic, and never touches an alien's route. Method:
// small slots by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import type { Route } from "@caracal/netlink";
import { type RouteKey, routeKey } from "./desired-route.ts";
import { planRoutes, type RouteClaim, type RouteSlot } from "./plan-routes.ts";
import { address, route } from "./suite/subject.ts";

const claim = ({ protocol }: Route): RouteClaim => (protocol === 12 ? "ours" : "alien");

function via(destination: string, gateway: string, over: Partial<Route> = {}): Route {
  return route(destination, { nextHops: [{ interfaceIndex: 2, gateway: address(gateway) }], ...over });
}

function onLink(destination: string): Route {
  return route(destination, { scope: 253, nextHops: [{ interfaceIndex: 2 }] });
}

/** Slots of the wanted and the actual routes. */
function slots(wanted: readonly Route[], actual: readonly Route[]): RouteSlot[] {
  const keys = new Set<RouteKey>([...wanted, ...actual].map(routeKey));
  return [...keys].map((key) => ({
    key,
    wanted: wanted.find((one) => routeKey(one) === key),
    actual: actual.filter((one) => routeKey(one) === key),
  }));
}

function steps(wanted: readonly Route[], actual: readonly Route[], whose = claim): string[] {
  return planRoutes(slots(wanted, actual), whose).operations.map(({ operation: { kind, route: one } }) => {
    const gateway = one.nextHops[0]?.gateway;
    return `${kind} ${Prefix.format(one.destination)}${gateway === undefined ? "" : ` via ${IpAddress.format(gateway)}`}`;
  });
}

test("what is as wanted gives no operation, also with next hops in another order", () => {
  const hops = [
    { interfaceIndex: 2, gateway: address("10.0.0.2"), weight: 2 },
    { interfaceIndex: 2, gateway: address("10.0.0.3") },
  ];
  const wanted = route("10.1.0.0/26", { nextHops: hops });
  assert.deepEqual(steps([wanted], [{ ...wanted, nextHops: hops.toReversed() }]), []);
  const [first, second] = hops;
  assert.ok(first !== undefined && second !== undefined);
  const swapped = [
    { ...first, weight: 1 },
    { ...second, weight: 2 },
  ];
  assert.deepEqual(steps([wanted], [{ ...wanted, nextHops: swapped }]), ["replace 10.1.0.0/26 via 10.0.0.2"]);
});

test("an interface left to the kernel may be any", () => {
  const wanted = route("10.1.0.0/26", { nextHops: [{ gateway: address("10.0.0.2") }] });
  assert.deepEqual(steps([wanted], [via("10.1.0.0/26", "10.0.0.2")]), []);
  assert.equal(steps([via("10.1.0.0/26", "10.0.0.2")], [wanted]).length, 1);
});

test("routes on a link go in first, blackholes last, longer prefixes before shorter; out the other way round", () => {
  const some = [
    route("10.244.0.0/26"),
    via("10.244.1.0/26", "169.254.1.1"),
    onLink("169.254.1.1/32"),
    route("10.244.0.0/16"),
    onLink("10.244.0.0/24"),
  ];
  const order = [
    "169.254.1.1/32",
    "10.244.0.0/24",
    "10.244.1.0/26 via 169.254.1.1",
    "10.244.0.0/26",
    "10.244.0.0/16",
  ];
  assert.deepEqual(
    steps(some, []),
    order.map((text) => `add ${text}`),
  );
  assert.deepEqual(
    steps([], some),
    order.toReversed().map((text) => `delete ${text}`),
  );
});

test("what is new goes in before what is old goes out", () => {
  assert.deepEqual(steps([via("10.1.0.0/26", "10.0.0.2", { metric: 5 })], [via("10.1.0.0/26", "10.0.0.2")]), [
    "add 10.1.0.0/26 via 10.0.0.2",
    "delete 10.1.0.0/26 via 10.0.0.2",
  ]);
});

test("of several routes of ours in one place, one becomes the wanted one and the rest go", () => {
  const actual = [via("10.1.0.0/26", "10.0.0.7"), via("10.1.0.0/26", "10.0.0.8")];
  assert.deepEqual(steps([via("10.1.0.0/26", "10.0.0.2")], actual), [
    "replace 10.1.0.0/26 via 10.0.0.2",
    "delete 10.1.0.0/26 via 10.0.0.8",
  ]);
  assert.deepEqual(steps([via("10.1.0.0/26", "10.0.0.8")], actual), ["delete 10.1.0.0/26 via 10.0.0.7"]);
});

test("an alien's place is neither replaced nor added to, and is told as a conflict", () => {
  const alien = via("10.1.0.0/26", "10.0.0.9", { protocol: 4 });
  const wanted = via("10.1.0.0/26", "10.0.0.2");
  const plan = planRoutes(slots([wanted], [alien]), claim);
  assert.deepEqual(plan.operations, []);
  assert.deepEqual(plan.conflicts, [{ key: routeKey(wanted), wanted, alien }]);
  // Beside the alien's, an outdated route of ours still goes, and a right one stays.
  assert.deepEqual(steps([wanted], [alien, via("10.1.0.0/26", "10.0.0.7")]), [
    "delete 10.1.0.0/26 via 10.0.0.7",
  ]);
  assert.deepEqual(planRoutes(slots([wanted], [alien, wanted]), claim), {
    operations: [],
    conflicts: [],
    heldCount: 0,
  });
  assert.deepEqual(steps([], [alien]), []);
});

test("held routes may be replaced but not deleted", () => {
  const held = (): RouteClaim => "held";
  const actual = [via("10.1.0.0/26", "10.0.0.2"), via("10.2.0.0/26", "10.0.0.2")];
  assert.deepEqual(steps([via("10.1.0.0/26", "10.0.0.3")], actual, held), [
    "replace 10.1.0.0/26 via 10.0.0.3",
  ]);
  assert.equal(planRoutes(slots([], actual), held).heldCount, 2);
});

test("an IPv6 route without a metric is the one that the kernel shows with 1024", () => {
  const destination = Prefix.parse("fd00::/64") ?? assert.fail();
  assert.equal(
    routeKey({ destination, protocol: 12 }),
    routeKey({ destination, protocol: 12, metric: 1024 }),
  );
  const v4 = Prefix.parse("10.0.0.0/8") ?? assert.fail();
  assert.notEqual(
    routeKey({ destination: v4, protocol: 12 }),
    routeKey({ destination: v4, protocol: 12, metric: 1024 }),
  );
});

test("an IPv6 route whose gateway is inside it crosses to another interface by a route to the gateway", () => {
  const wanted = route("fd80::/122", {
    nextHops: [{ interfaceIndex: 3, gateway: address("fd80::5"), onlink: true }],
  });
  const former = via("fd80::/122", "fd99::2");
  assert.deepEqual(steps([wanted], [former]), [
    "add fd80::5/128",
    "replace fd80::/122 via fd80::5",
    "delete fd80::5/128",
  ]);
  assert.deepEqual(steps([former], [wanted]), ["replace fd80::/122 via fd99::2"]);
  assert.deepEqual(steps([wanted], []), ["add fd80::/122 via fd80::5"]);
});
