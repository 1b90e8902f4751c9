/**
 * Aim: what nobody can look into is said, and what follows from it is marked as taken for granted. Method: two nodes
 * behind routers that are not known, by hand: a tunnel between them, a plain route, pods that cannot be looked into.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyNetworkState, type NetworkState } from "@caracal/forwarding";
import { IpAddress, Prefix } from "@caracal/net";
import { Af, Iff, type Link, Mac, NeighbourState, type Route, RouteTable, RouteType } from "@caracal/netlink";
import { type Place, traceReport, type TraceEnd, type TraceReport, type World } from "../src/index.ts";

const up = Iff.IFF_UP | Iff.IFF_LOWER_UP;

function address(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

function link(index: number, name: string, more: Partial<Link> = {}): Link {
  const mac = Mac.parse(`02:00:00:00:00:0${index}`);
  return { index, name, flags: up, operState: 6, mtu: 1500, ...(mac === undefined ? {} : { mac }), ...more };
}

function route(
  destination: string,
  index: number,
  gateway?: string,
  type: number = RouteType.RTN_UNICAST,
): Route {
  const hop = { interfaceIndex: index, ...(gateway === undefined ? {} : { gateway: address(gateway) }) };
  return {
    destination: Prefix.parse(destination) ?? assert.fail(destination),
    type,
    protocol: 12,
    scope: 0,
    table: type === RouteType.RTN_LOCAL ? RouteTable.RT_TABLE_LOCAL : RouteTable.RT_TABLE_MAIN,
    metric: 0,
    nextHops: [hop],
  };
}

/** A node with one pod, whose default gateway nobody knows, and a route to the other node's pods. */
function nodeState(own: string, gateway: string, ownPod: string, toOthers: Route): NetworkState {
  return {
    ...emptyNetworkState,
    links: [
      link(1, "eth0"),
      link(2, "cali1", { kind: "veth" }),
      link(3, "tunl0", { kind: "ipip", mtu: 1480, flags: up | Iff.IFF_NOARP }),
    ],
    addresses: [{ interfaceIndex: 1, address: address(own), prefixLength: 24, scope: 0, flags: 0 }],
    routes: [
      route("0.0.0.0/0", 1, gateway),
      route(`${own}/32`, 1, undefined, RouteType.RTN_LOCAL),
      route(`${ownPod}/32`, 2),
      toOthers,
    ],
    neighbours: [
      {
        family: Af.AF_INET,
        interfaceIndex: 1,
        state: NeighbourState.NUD_REACHABLE,
        flags: 0,
        address: address(gateway),
        mac: Mac.parse("02:00:00:00:00:fe") ?? assert.fail(),
      },
    ],
  };
}

function report(
  routes: readonly [Route, Route],
  isSecondKnown = true,
  hasLink: (one: Link) => boolean = () => true,
  nobodys?: TraceEnd,
): TraceReport {
  const [first, second] = routes;
  const whole = nodeState("30.0.0.23", "30.0.0.254", "10.244.2.5", second);
  const known = { ...whole, links: whole.links.filter(hasLink) };
  const places: Place[] = [
    {
      name: { kind: "node", name: "n1" },
      state: nodeState("10.0.0.21", "10.0.0.254", "10.244.1.5", first),
      addresses: [address("10.0.0.21")],
    },
    {
      name: { kind: "node", name: "n2" },
      addresses: [address("30.0.0.23")],
      ...(isSecondKnown ? { state: known } : { unknownBecause: "its daemon is older than this question" }),
    },
    ...(["1", "2"] as const).map((number): Place => ({
      name: { kind: "pod", name: `default/p${number}`, node: `n${number}` },
      addresses: [address(`10.244.${number}.5`)],
      hostInterface: "cali1",
      unknownBecause: "no namespace that the daemon can see has it",
    })),
  ];
  const world: World = { places, about: new Set(places.flatMap(({ addresses }) => addresses)) };
  const end = (number: "1" | "2") => ({
    text: `p${number}`,
    place: { kind: "pod", name: `default/p${number}`, node: `n${number}` } as const,
    addresses: [address(`10.244.${number}.5`)],
    isWholePlace: false,
  });
  const packet = { protocol: "icmp", bytes: 84 } as const;
  const found = traceReport(world, { from: end("1"), to: nobodys ?? end("2"), family: 4, packet });
  assert.ok(found !== undefined);
  return found;
}

const tunnels = [route("10.244.2.0/26", 3, "30.0.0.23"), route("10.244.1.0/26", 3, "10.0.0.21")] as const;

test("a tunnel's outer packet is taken to find the other node", () => {
  const { forward, back, isSymmetric } = report(tunnels);
  assert.equal(forward.verdict.kind, "delivered");
  assert.deepEqual(forward.verdict.assumptions, [
    "pod default/p1 on n1 sends by its cable to n1",
    "gateway 10.0.0.254 on eth0 knows the way to 30.0.0.23 of n2",
    "pod default/p2 on n2 was not looked into; the packet was put on its cable",
  ]);
  assert.equal(forward.pathMtu, 1480);
  assert.equal(back?.verdict.kind, "delivered");
  assert.equal(isSymmetric, true);
});

test("a pod's address without a tunnel goes out of sight at the first unknown gateway", () => {
  const { forward } = report([
    route("10.244.2.0/26", 1, "10.0.0.254"),
    route("10.244.1.0/26", 1, "30.0.0.254"),
  ]);
  assert.equal(forward.verdict.kind, "out-of-sight");
  assert.match(forward.verdict.text, /beyond our sight: gateway 10\.0\.0\.254 on eth0/);
  assert.equal(forward.verdict.isExpected, false);
});

test("a pool's address that nobody has should not leave the cluster", () => {
  const nobodys = {
    text: "10.244.9.9",
    pool: "pods",
    addresses: [address("10.244.9.9")],
    isWholePlace: false,
  };
  const { forward } = report(tunnels, true, () => true, nobodys);
  assert.ok(forward.verdict.kind === "out-of-sight");
  assert.equal(forward.verdict.isExpected, false);
  assert.match(forward.verdict.text, /; 10\.244\.9\.9 is in IPPool\(pods\), but no pod or node has it$/);
});

test("a node whose daemon is too old is named, and the walk ends there", () => {
  const { forward, wants } = report(tunnels, false);
  assert.equal(forward.verdict.kind, "out-of-sight");
  assert.equal(forward.verdict.text, "node n2 cannot be looked into: its daemon is older than this question");
  assert.ok(wants.places.some(({ name }) => name === "n2"));
});

test("a tunnel's packet that comes to a node without the device is not unpacked", () => {
  const { forward } = report(tunnels, true, ({ kind }) => kind !== "ipip");
  assert.equal(forward.verdict.kind, "lost");
  assert.equal(forward.verdict.reason, "no-tunnel");
  assert.equal(forward.verdict.text, "n2 has no IPIP device: nobody unpacks it");
});
