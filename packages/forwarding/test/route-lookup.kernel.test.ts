/**
 * Aim: the route that is computed from dumps is the one that the kernel would take. Method: seeded random rules and
 * routes of both families in a fresh namespace, in tables of their own; every destination is looked up here and asked of
 * the kernel (what `ip route get fibmatch` asks), as sent by the namespace itself and as come in by an interface.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import {
  createNamespace,
  deleteNamespace,
  KernelError,
  namespacePath,
  Rtnetlink,
  writeSysctl,
} from "@caracal/linux";
import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import { RouteProtocol, RouteScope, RouteTable, RouteType, type Route, RuleAction } from "@caracal/netlink";
import { Dice, requireRoot } from "@caracal/testbed";
import {
  emptyNetworkState,
  lookUp,
  networkStateJson,
  type NetworkState,
  readNetworkState,
} from "../src/index.ts";

const skip = requireRoot();
const tables = [RouteTable.RT_TABLE_MAIN, 100, 1000];

function freshNamespace(t: TestContext): string {
  const name = `cf${process.pid}-${randomBytes(3).toString("hex")}`;
  createNamespace(name);
  t.after(() => deleteNamespace(name));
  return namespacePath(name);
}

/** Few distinct bits, so that prefixes nest and compete. */
function anyAddress(dice: Dice, family: 4 | 6): IpAddress {
  const bits = dice.below(256);
  return family === 4
    ? Ipv4.of((0x0a00_0000 + (bits & 0xf) * 0x0010_0000 + (bits >>> 4) * 64) >>> 0)
    : Ipv6.of((0xfd00n << 112n) + (BigInt(bits & 0xf) << 80n) + BigInt(bits >>> 4));
}

function anyPrefix(dice: Dice, family: 4 | 6): Prefix {
  const lengths = family === 4 ? [0, 8, 12, 16, 26, 32] : [0, 16, 48, 64, 128];
  return Prefix.of(anyAddress(dice, family), dice.pick(lengths));
}

function anyRoute(dice: Dice, family: 4 | 6, links: readonly number[]): Route {
  const special = [
    RouteType.RTN_BLACKHOLE,
    RouteType.RTN_UNREACHABLE,
    RouteType.RTN_PROHIBIT,
    RouteType.RTN_THROW,
  ];
  const type = dice.below(4) === 0 ? dice.pick(special) : RouteType.RTN_UNICAST;
  return {
    destination: anyPrefix(dice, family),
    type,
    protocol: RouteProtocol.RTPROT_STATIC,
    scope:
      family === 4 && type === RouteType.RTN_UNICAST
        ? RouteScope.RT_SCOPE_LINK
        : RouteScope.RT_SCOPE_UNIVERSE,
    table: dice.pick(tables),
    metric: 10 + dice.below(3),
    nextHops: type === RouteType.RTN_UNICAST ? [{ interfaceIndex: dice.pick(links) }] : [],
  };
}

function tolerating(work: () => void): void {
  try {
    work();
  } catch (error) {
    // A second route or rule like one that is there.
    if (!(error instanceof KernelError) || error.errno !== "EEXIST") throw error;
  }
}

function addRules(kernel: Rtnetlink, dice: Dice, family: 4 | 6): void {
  for (let index = 0; index < 4; index += 1) {
    const suppress = dice.below(4) === 0;
    tolerating(() =>
      kernel.addRule({
        family,
        priority: 100 + dice.below(50),
        table: dice.pick(tables),
        action: RuleAction.FR_ACT_TO_TBL,
        invert: dice.below(5) === 0,
        protocol: 0,
        ...(dice.below(2) === 0 ? { source: anyPrefix(dice, family) } : { mark: 1 + dice.below(2) }),
        ...(dice.below(3) === 0 ? { inputInterface: dice.pick(["a0", "a1", "lo"]) } : {}),
        ...(suppress ? { suppressPrefixLength: dice.pick([0, 8]) } : {}),
      }),
    );
  }
}

function stateOf(kernel: Rtnetlink): NetworkState {
  const state: NetworkState = {
    ...emptyNetworkState,
    links: kernel.links(),
    addresses: kernel.addresses(),
    rules: [...kernel.rules(4), ...kernel.rules(6)],
    routes: kernel.routes(),
  };
  // Through its JSON form, as it comes from another machine.
  const read = readNetworkState(JSON.parse(JSON.stringify(networkStateJson(state))));
  assert.deepEqual(read, state);
  return state;
}

/** What both say in one line each: the route, or nothing. */
function described(route: Route | undefined): string {
  if (route === undefined) return "none";
  const [hop] = route.nextHops;
  return `${Prefix.format(route.destination)} table ${route.table} metric ${route.metric} if ${hop?.interfaceIndex ?? 0}`;
}

function compare(kernel: Rtnetlink, state: NetworkState, dice: Dice, family: 4 | 6): void {
  const destination = anyAddress(dice, family);
  const comesIn = dice.below(2) === 0;
  const index = kernel.link("a0")?.index ?? 0;
  const mark = dice.below(3);
  const source = anyAddress(dice, family);
  const asked = kernel.routeTo(destination, {
    ...(comesIn ? { inputInterface: index, source } : {}),
    ...(mark === 0 ? {} : { mark }),
  });
  const computed = lookUp(state, {
    destination,
    mark,
    ...(comesIn ? { inputInterface: "a0", source } : {}),
  });
  const found = computed.kind === "found" ? computed.match.route : undefined;
  // For what is refused the kernel gives an error, or for IPv6 the route that refuses.
  const wanted = asked === undefined || asked.nextHops.length === 0 ? undefined : asked;
  assert.equal(
    described(found),
    described(wanted),
    `to ${IpAddress.format(destination)} mark ${mark} ${comesIn ? `from ${IpAddress.format(source)}` : "own"}`,
  );
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: what is computed is what the kernel says`, { skip }, (t) => {
    for (let round = 0; round < 12; round += 1) {
      const seed = family * 1000 + round;
      const dice = new Dice(seed);
      const path = freshNamespace(t);
      using kernel = Rtnetlink.open(path);
      writeSysctl(`net/ipv${family}/conf/all/forwarding`, 1, path);
      kernel.setLink("lo", { up: true });
      kernel.addVeth({ name: "a0", up: true }, { name: "b0", up: true });
      kernel.addVeth({ name: "a1", up: true }, { name: "b1", up: true });
      for (const name of ["a0", "a1", "b0", "b1"]) {
        if (family === 4) writeSysctl(`net/ipv4/conf/${name}/rp_filter`, 0, path);
      }
      if (family === 4) writeSysctl("net/ipv4/conf/all/rp_filter", 0, path);
      const links = ["a1", "b1"].map((name) => kernel.link(name)?.index ?? 0);
      for (let index = 0; index < 40; index += 1)
        tolerating(() => kernel.addRoute(anyRoute(dice, family, links)));
      addRules(kernel, dice, family);
      const state = stateOf(kernel);
      for (let query = 0; query < 60; query += 1) compare(kernel, state, dice, family);
    }
  });
}
