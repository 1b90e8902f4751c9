/** What learned routes become in the kernel, by each verdict of the policy. Method: policies and paths by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DesiredRoute } from "@caracal/dataplane";
import { type ProgrammingPolicy, TunnelEnds } from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";
import { address, node, prefix, reach } from "../../test/node-fixtures.ts";
import { BgpRoutes, type TunnelEndLookup } from "./bgp-routes.ts";

type Pool = ProgrammingPolicy["pools"][number];

function pool(modes: Partial<Pool> = {}): Pool {
  return {
    name: "pool",
    prefix: prefix("10.244.0.0/16"),
    ipipMode: "Never",
    vxlanMode: "Never",
    isDisabled: false,
    isExported: true,
    hasNatOutgoing: false,
    isForServices: false,
    ...modes,
  };
}

function policy(changes: Partial<ProgrammingPolicy> = {}): ProgrammingPolicy {
  return {
    serviceRanges: [prefix("10.96.0.0/12")],
    pools: [pool()],
    subnets: new Map([[4, prefix("172.18.0.0/16")]]),
    programsIpip: true,
    programsDirect: true,
    ...changes,
  };
}

/** 172.18.0.0/16 is on eth0, 30.0.0.0/24 behind a router, the rest nowhere. */
function routesUnder(
  rules: ProgrammingPolicy,
  ends: TunnelEndLookup = (_destination, nextHop) => nextHop,
): BgpRoutes {
  const routes = new BgpRoutes((nextHop) => {
    if (Prefix.contains(prefix("172.18.0.0/16"), nextHop))
      return { interfaceName: "eth0", gateway: undefined };
    if (Prefix.contains(prefix("30.0.0.0/24"), nextHop))
      return { interfaceName: "eth0", gateway: address("172.18.0.1") };
    return undefined;
  }, ends);
  routes.under(rules);
  return routes;
}

function text({ destination, protocol, nextHops = [] }: DesiredRoute): string {
  const hops = nextHops.map(
    ({ gateway, interfaceName, onlink }) =>
      `via ${gateway === undefined ? "-" : IpAddress.format(gateway)} dev ${interfaceName}${onlink === true ? " onlink" : ""}`,
  );
  return `${Prefix.format(destination)} ${hops.join(" ")} proto ${protocol}`;
}

function programmed(routes: BgpRoutes, destination: string, ...nextHops: readonly string[]): string {
  const { set, remove } = routes.apply([reach(destination, ...nextHops)]);
  assert.equal(set.length + remove.length, 1);
  return set[0] === undefined ? "nothing" : text(set[0]);
}

test("each verdict has its form", () => {
  const plain = "10.244.1.0/26 via 172.18.0.3 dev eth0 proto 12";
  const routed = "10.244.1.0/26 via 172.18.0.1 dev eth0 proto 12";
  const tunnel = "10.244.1.0/26 via 30.0.0.23 dev tunl0 onlink proto 12";
  for (const [rules, nextHop, expected] of [
    [policy(), "172.18.0.3", plain],
    [policy(), "30.0.0.23", routed],
    [policy({ pools: [] }), "172.18.0.3", plain],
    [policy({ pools: [pool({ ipipMode: "CrossSubnet" })] }), "172.18.0.3", plain],
    [policy({ pools: [pool({ ipipMode: "CrossSubnet" })] }), "30.0.0.23", tunnel],
    [policy({ pools: [pool({ ipipMode: "Always" })] }), "30.0.0.23", tunnel],
    [policy({ pools: [pool({ ipipMode: "Always" })], programsIpip: false }), "30.0.0.23", "nothing"],
    [policy({ pools: [pool({ vxlanMode: "Always" })] }), "172.18.0.3", "nothing"],
    [policy({ programsDirect: false }), "172.18.0.3", "nothing"],
    [policy({ serviceRanges: [prefix("10.244.0.0/16")] }), "172.18.0.3", "nothing"],
    [policy(), "192.0.2.1", "nothing"],
  ] as const) {
    assert.equal(programmed(routesUnder(rules), "10.244.1.0/26", nextHop), expected);
  }
});

test("equally good next hops share one route; those that lead nowhere are left out", () => {
  const routes = routesUnder(policy());
  assert.equal(
    programmed(routes, "10.244.1.0/26", "172.18.0.3", "172.18.0.4", "192.0.2.1"),
    "10.244.1.0/26 via 172.18.0.3 dev eth0 via 172.18.0.4 dev eth0 proto 12",
  );
});

test("a withdrawn route, and one that is the node's own now, is removed", () => {
  const routes = routesUnder(policy());
  const learned = reach("10.244.1.0/26", "172.18.0.3");
  routes.apply([learned]);
  assert.equal(routes.size, 1);
  const gone = routes.apply([{ kind: "unreach", prefix: learned.prefix }]);
  assert.deepEqual([gone.set, gone.remove.map(text)], [[], ["10.244.1.0/26  proto 12"]]);
  routes.apply([learned]);
  assert.ok(learned.kind === "reach");
  const local = routes.apply([{ ...learned, source: { kind: "local" }, nextHops: [] }]);
  assert.deepEqual([local.set.length, local.remove.length, routes.size], [0, 1, 0]);
});

test("a change of policy decides anew about all that was learned", () => {
  const routes = routesUnder(policy());
  routes.apply([reach("10.244.1.0/26", "172.18.0.3"), reach("10.244.2.0/26", "30.0.0.23")]);
  const crossing = policy({ pools: [pool({ ipipMode: "CrossSubnet" })] });
  assert.deepEqual(routes.under(crossing).map(text), [
    "10.244.1.0/26 via 172.18.0.3 dev eth0 proto 12",
    "10.244.2.0/26 via 30.0.0.23 dev tunl0 onlink proto 12",
  ]);
  assert.deepEqual(routes.under(policy({ pools: [pool({ vxlanMode: "Always" })] })), []);
  assert.equal(routes.under(policy()).length, 2);
  routes.clear();
  assert.deepEqual(routes.under(policy()), []);
});

test("before there is a policy nothing is programmed, and nothing forgotten", () => {
  const routes = new BgpRoutes(
    () => ({ interfaceName: "eth0", gateway: undefined }),
    (_destination, nextHop) => nextHop,
  );
  assert.equal(programmed(routes, "10.244.1.0/26", "172.18.0.3"), "nothing");
  assert.equal(routes.under(policy()).length, 1);
});

test("what goes into a tunnel goes to a node, also where a switch is the next hop", () => {
  const ends = new TunnelEnds();
  const nodes = [node("n2", "30.0.0.23/24"), node("n3", "30.0.0.24/24")];
  const block = {
    prefix: prefix("10.244.1.0/26"),
    node: "n2",
    borrowed: [{ address: address("10.244.1.9"), node: "n3" }],
  };
  const always = policy({ pools: [pool({ ipipMode: "Always" })] });
  const routes = routesUnder(always, (destination, nextHop) => ends.endOf(destination, nextHop));
  const via = (destination: string, nextHop: string): string | undefined =>
    /via (\S+) dev tunl0/.exec(programmed(routes, destination, nextHop))?.[1];
  assert.equal(ends.see(nodes, [block]), false);
  assert.equal(via("10.244.1.0/26", "30.0.0.24"), "30.0.0.24");
  // Nobody has been sent elsewhere, so nothing depends on the blocks.
  assert.equal(ends.see(nodes, [{ ...block }]), false);
  assert.equal(via("10.244.1.0/26", "172.18.0.254"), "30.0.0.23");
  assert.equal(via("10.244.1.9/32", "172.18.0.254"), "30.0.0.24");
  assert.equal(via("10.244.2.0/26", "172.18.0.254"), "172.18.0.254");
  assert.equal(ends.see(nodes, [{ ...block, node: "n3" }]), true);
  assert.match(routes.under(always).map(text).join(), /10\.244\.1\.0\/26 via 30\.0\.0\.24 dev tunl0/);
});
