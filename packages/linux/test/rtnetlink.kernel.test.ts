// Aim: every verb does in the kernel what `ip` says it did. Method: two fresh namespaces, our verbs, `ip -j` as witness.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import {
  Af,
  changeLink,
  decodeChange,
  getLink,
  Iff,
  Mac,
  newRoute,
  NeighbourState,
  Ntf,
  type Route,
  RouteProtocol,
  RouteScope,
  RouteTable,
  RouteType,
  RuleAction,
  setProxyDelay,
} from "@caracal/netlink";
import { KernelError, namespacePath, readSysctl, Rtnetlink } from "../src/index.ts";
import { freshNamespace, ipJson, kernelSkip, rows, run } from "./fresh-namespace.ts";

const skip = kernelSkip(["ip", "bridge"]);

function address(text: string): IpAddress {
  const parsed = IpAddress.parse(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
}

function prefix(text: string): Prefix {
  const parsed = Prefix.parse(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
}

function mac(text: string): Mac {
  const parsed = Mac.parse(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
}

function route(destination: string, over: Partial<Route>): Route {
  return {
    destination: prefix(destination),
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BIRD,
    scope: RouteScope.RT_SCOPE_UNIVERSE,
    table: RouteTable.RT_TABLE_MAIN,
    metric: 0,
    nextHops: [],
    ...over,
  };
}

/** A namespace with a veth pair `up0` (10.0.0.1/24, fd00::1/64) and `far0`, both up. */
function netWithVeth(t: TestContext): { ip: Rtnetlink; name: string; index: number } {
  const name = freshNamespace(t);
  const ip = Rtnetlink.open(namespacePath(name));
  t.after(() => ip.close());
  ip.addVeth({ name: "up0" }, { name: "far0" });
  ip.setLink("lo", { up: true });
  ip.setLink("up0", { up: true });
  ip.setLink("far0", { up: true });
  const index = ip.link("up0")?.index ?? 0;
  ip.addAddress({ interfaceIndex: index, address: address("10.0.0.1"), prefixLength: 24 });
  // No duplicate address detection: routes may use the address at once.
  ip.addAddress({ interfaceIndex: index, address: address("fd00::1"), prefixLength: 64, flags: 0x02 });
  return { ip, name, index };
}

test("a veth pair is made across namespaces with names, MACs and MTU in one request", { skip }, (t) => {
  const near = freshNamespace(t);
  const far = freshNamespace(t);
  using ip = Rtnetlink.open(namespacePath(near));
  ip.addVeth(
    { name: "cali0123456789a", mac: mac("ee:ee:ee:ee:ee:ee"), mtu: 1480, up: true },
    { name: "eth0", mac: mac("02:00:00:00:00:05"), mtu: 1480, up: true, namespace: namespacePath(far) },
  );
  const [outside] = rows(ipJson(near, "-d link show cali0123456789a"));
  const [inside] = rows(ipJson(far, "-d link show eth0"));
  assert.equal(outside?.["address"], "ee:ee:ee:ee:ee:ee");
  assert.equal(outside?.["mtu"], 1480);
  assert.equal(inside?.["address"], "02:00:00:00:00:05");
  assert.equal(inside?.["mtu"], 1480);
  assert.ok(JSON.stringify(inside?.["flags"]).includes('"UP"'));
  const link = ip.link("cali0123456789a");
  assert.ok(link !== undefined);
  assert.equal(link.kind, "veth");
  assert.equal(link.linkedIndex, inside?.["ifindex"]);
  assert.ok((link.flags & Iff.IFF_UP) !== 0);
  assert.equal(ip.deleteLink("cali0123456789a"), true);
  assert.equal(ip.deleteLink("cali0123456789a"), false);
  assert.deepEqual(
    rows(ipJson(far, "link show")).map((row) => row["ifname"]),
    ["lo"],
  );
});

test("a link is renamed, resized, enslaved, freed and moved", { skip }, (t) => {
  const { ip, name } = netWithVeth(t);
  const other = freshNamespace(t);
  ip.addLink({ name: "br0", details: { kind: "bridge" }, up: true });
  ip.setLink("far0", { masterIndex: ip.link("br0")?.index ?? 0, mtu: 1400, mac: mac("02:00:00:00:00:07") });
  const [enslaved] = rows(ipJson(name, "link show far0"));
  assert.equal(enslaved?.["master"], "br0");
  assert.equal(enslaved?.["mtu"], 1400);
  assert.equal(enslaved?.["address"], "02:00:00:00:00:07");
  ip.setLink("far0", { masterIndex: 0, up: false });
  ip.setLink("far0", { name: "far1" });
  assert.equal(ip.link("far0"), undefined);
  assert.equal(ip.link("far1")?.masterIndex, undefined);
  ip.setLink("far1", { namespace: namespacePath(other) });
  assert.equal(ip.link("far1"), undefined);
  assert.equal(rows(ipJson(other, "link show far1"))[0]?.["ifname"], "far1");
  assert.equal(ip.link("br0")?.kind, "bridge");
  assert.deepEqual(
    ip.links().map((link) => link.name),
    rows(ipJson(name, "link show")).map((row) => row["ifname"]),
  );
});

test("a VXLAN device is made as Calico makes it", { skip }, (t) => {
  const { ip, name, index } = netWithVeth(t);
  const details = {
    kind: "vxlan",
    vni: 4096,
    port: 4789,
    learning: false,
    local: address("10.0.0.1"),
    parentIndex: index,
  } as const;
  ip.addLink({ name: "vxlan.calico", mtu: 1450, mac: mac("66:00:00:00:00:01"), up: true, details });
  const { kind, ...vxlan } = details;
  assert.equal(ip.link("vxlan.calico")?.kind, kind);
  assert.deepEqual(ip.link("vxlan.calico")?.vxlan, vxlan);
  const device = ip.link("vxlan.calico")?.index ?? 0;
  const remote = { family: Af.AF_BRIDGE, interfaceIndex: device, mac: mac("66:00:00:00:00:02") };
  ip.setNeighbour({
    ...remote,
    state: NeighbourState.NUD_PERMANENT | NeighbourState.NUD_NOARP,
    flags: Ntf.NTF_SELF,
    address: address("10.0.0.2"),
  });
  const entries = ip.neighbours("forwarding").filter((entry) => entry.interfaceIndex === device);
  assert.deepEqual(
    entries.map((entry) => [entry.mac, entry.address]),
    [[remote.mac, address("10.0.0.2")]],
  );
  assert.match(
    run(name, "bridge", "fdb", "show", "dev", "vxlan.calico"),
    /66:00:00:00:00:02 dst 10.0.0.2 self permanent/,
  );
});

test("addresses come and go as `ip address` says", { skip }, (t) => {
  const { ip, name, index } = netWithVeth(t);
  const pod = {
    interfaceIndex: index,
    address: address("10.244.0.5"),
    prefixLength: 32,
    scope: RouteScope.RT_SCOPE_LINK,
  };
  ip.addAddress(pod);
  assert.throws(() => ip.addAddress(pod), { name: "KernelError", op: "address.add", errno: "EEXIST" });
  ip.addAddress(pod, "replace");
  const listed = (): string[] =>
    rows(ipJson(name, "address show dev up0"))
      .flatMap((row) => rows(row["addr_info"]))
      .map((row) => `${String(row["local"])}/${String(row["prefixlen"])} ${String(row["scope"])}`);
  assert.ok(listed().includes("10.244.0.5/32 link"));
  assert.deepEqual(
    ip
      .addresses(index)
      .map((entry) => IpAddress.format(entry.address))
      .filter((text) => !text.startsWith("fe80")),
    ["10.244.0.5", "10.0.0.1", "fd00::1"],
  );
  assert.equal(ip.deleteAddress(pod), true);
  assert.equal(ip.deleteAddress(pod), false);
  assert.ok(!listed().includes("10.244.0.5/32 link"));
});

test("every kind of route is shown by `ip route` as meant, and read back equal", { skip }, (t) => {
  const { ip, name, index } = netWithVeth(t);
  const via = (text: string): Route["nextHops"] => [{ interfaceIndex: index, gateway: address(text) }];
  const { RT_SCOPE_LINK } = RouteScope;
  const wanted: [Route, string][] = [
    [
      route("10.244.83.128/26", { nextHops: via("10.0.0.3") }),
      "10.244.83.128/26 via 10.0.0.3 dev up0 proto bird",
    ],
    [route("10.244.120.64/26", { type: RouteType.RTN_BLACKHOLE }), "blackhole 10.244.120.64/26 proto bird"],
    [
      route("10.244.9.0/26", { type: RouteType.RTN_UNREACHABLE, metric: 7 }),
      "unreachable 10.244.9.0/26 proto bird metric 7",
    ],
    [
      route("10.244.10.0/26", { type: RouteType.RTN_PROHIBIT, protocol: 80 }),
      "prohibit 10.244.10.0/26 proto 80",
    ],
    [
      route("10.244.0.5/32", { protocol: 3, scope: RT_SCOPE_LINK, nextHops: [{ interfaceIndex: index }] }),
      "10.244.0.5 dev up0 scope link",
    ],
    [
      route("10.244.1.0/24", {
        protocol: 80,
        nextHops: [{ interfaceIndex: index, gateway: address("30.0.0.23"), onlink: true }],
      }),
      "10.244.1.0/24 via 30.0.0.23 dev up0 proto 80 onlink",
    ],
    [
      route("10.244.2.0/24", {
        nextHops: via("10.0.0.4"),
        mtu: 1400,
        preferredSource: address("10.0.0.1"),
        metric: 32,
      }),
      "10.244.2.0/24 via 10.0.0.4 dev up0 proto bird src 10.0.0.1 metric 32 mtu 1400",
    ],
    [
      route("10.244.3.0/24", {
        nextHops: [
          { interfaceIndex: index, gateway: address("10.0.0.4"), weight: 2 },
          { interfaceIndex: index, gateway: address("10.0.0.5") },
        ],
      }),
      "10.244.3.0/24 proto bird nexthop via 10.0.0.4 dev up0 weight 2 nexthop via 10.0.0.5 dev up0 weight 1",
    ],
    [
      route("10.244.4.0/24", { nextHops: via("fd00::4") }),
      "10.244.4.0/24 via inet6 fd00::4 dev up0 proto bird",
    ],
    [
      route("10.244.5.0/24", { table: 5000, nextHops: via("10.0.0.4") }),
      "10.244.5.0/24 via 10.0.0.4 dev up0 table 5000 proto bird",
    ],
    [
      route("fd80:24::/122", { nextHops: via("fd00::3"), metric: 1024 }),
      "fd80:24::/122 via fd00::3 dev up0 proto bird metric 1024 pref medium",
    ],
    [
      route("fd80:25::/122", { type: RouteType.RTN_BLACKHOLE, metric: 1024 }),
      "blackhole fd80:25::/122 dev lo proto bird metric 1024 pref medium",
    ],
    [
      route("fd80:26::/64", { metric: 1024, nextHops: [...via("fd00::3"), ...via("fd00::4")] }),
      "fd80:26::/64 proto bird metric 1024 pref medium nexthop via fd00::3 dev up0 weight 1 nexthop via fd00::4 dev up0 weight 1",
    ],
  ];
  for (const [one] of wanted) ip.addRoute(one);
  const shown =
    `${run(name, "ip", "route", "show", "table", "all")}${run(name, "ip", "-6", "route", "show", "table", "all")}`
      .replaceAll(/\n\t/g, " ")
      .split("\n")
      .map((line) => line.replaceAll(/\s+/g, " ").trim());
  const actual = ip.routes();
  for (const [one, text] of wanted) {
    assert.ok(shown.includes(text), `${text}\n${shown.join("\n")}`);
    assert.deepEqual(
      actual.find((found) => Prefix.equals(found.destination, one.destination)),
      one,
    );
    assert.equal(ip.deleteRoute(one), true);
    assert.equal(ip.deleteRoute(one), false);
  }
});

test("a dump gives only the family, table and protocol asked for", { skip }, (t) => {
  const { ip } = netWithVeth(t);
  ip.addRoute(route("10.244.0.0/26", { type: RouteType.RTN_BLACKHOLE }));
  ip.addRoute(route("10.245.0.0/26", { type: RouteType.RTN_BLACKHOLE, protocol: 80 }));
  ip.addRoute(route("fd80::/64", { type: RouteType.RTN_BLACKHOLE }));
  ip.addRoute(route("10.246.0.0/26", { type: RouteType.RTN_BLACKHOLE, table: 77 }));
  const found = ip.routes({
    family: 4,
    table: RouteTable.RT_TABLE_MAIN,
    protocol: RouteProtocol.RTPROT_BIRD,
  });
  assert.deepEqual(found, [route("10.244.0.0/26", { type: RouteType.RTN_BLACKHOLE })]);
});

test("a look-up answers with the route a packet takes", { skip }, (t) => {
  const { ip, index } = netWithVeth(t);
  const wanted = route("10.244.0.0/16", {
    nextHops: [{ interfaceIndex: index, gateway: address("10.0.0.9") }],
  });
  ip.addRoute(wanted);
  assert.deepEqual(ip.routeTo(address("10.244.3.4")), wanted);
  assert.equal(ip.routeTo(address("203.0.113.1")), undefined);
});

test("neighbours and proxies are those of `ip neighbour`", { skip }, (t) => {
  const { ip, name, index } = netWithVeth(t);
  const entry = {
    family: Af.AF_INET,
    interfaceIndex: index,
    state: NeighbourState.NUD_PERMANENT,
    flags: 0,
    address: address("169.254.1.1"),
    mac: mac("ee:ee:ee:ee:ee:ee"),
  };
  ip.setNeighbour(entry);
  ip.setNeighbour({
    family: Af.AF_INET6,
    interfaceIndex: index,
    state: 0,
    flags: Ntf.NTF_PROXY,
    address: address("fd00::9"),
  });
  const [shown] = rows(ipJson(name, "neighbour show dev up0 nud permanent"));
  assert.deepEqual([shown?.["dst"], shown?.["lladdr"]], ["169.254.1.1", "ee:ee:ee:ee:ee:ee"]);
  assert.deepEqual(
    ip.neighbours().filter((found) => found.state === NeighbourState.NUD_PERMANENT),
    [entry],
  );
  assert.deepEqual(
    ip.neighbours("proxies").map((found) => found.address),
    [address("fd00::9")],
  );
  assert.equal(ip.deleteNeighbour(entry), true);
  assert.equal(ip.deleteNeighbour(entry), false);
});

test("rules are those of `ip rule`", { skip }, (t) => {
  const { ip, name } = netWithVeth(t);
  const rule = {
    family: 4,
    priority: 99,
    table: 4242,
    action: RuleAction.FR_ACT_TO_TBL,
    invert: true,
    source: prefix("10.0.0.0/24"),
    mark: 0x10000,
    markMask: 0x30000,
    protocol: 80,
  } as const;
  ip.addRule(rule);
  assert.match(
    run(name, "ip", "rule"),
    /^99:\tnot from 10.0.0.0\/24 fwmark 0x10000\/0x30000 lookup 4242 proto 80/m,
  );
  assert.deepEqual(
    ip.rules(4).find((found) => found.priority === 99),
    rule,
  );
  assert.equal(ip.deleteRule(rule), true);
  assert.equal(ip.deleteRule(rule), false);
});

test("a refusal carries the errno's name and the kernel's own words", { skip }, (t) => {
  const { ip } = netWithVeth(t);
  const unreachable = route("10.244.0.0/26", { nextHops: [{ gateway: address("203.0.113.1") }] });
  assert.throws(
    () => ip.addRoute(unreachable),
    (error: unknown) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.op, "route.add");
      assert.equal(error.errno, "ENETUNREACH");
      assert.equal(error.detail, "Nexthop has invalid gateway");
      return true;
    },
  );
});

test(
  "in a batch, settings are made by name and by number, and what is asked for is answered",
  { skip },
  (t) => {
    const { ip, name, index } = netWithVeth(t);
    const found: (string | undefined)[] = [];
    const ipv4 = { forwarding: true, proxyArp: true, routeLocalnet: true };
    const requests = [
      changeLink(0, { name: "up0", up: false }),
      getLink({ name: "up0" }),
      changeLink(index, { up: true, ipv4 }),
      getLink({ index }),
      setProxyDelay(index, 0),
    ];
    const failures = ip.socket.batch("link.set", requests, (answer) => {
      const change = decodeChange(answer);
      if (change?.kind !== "link") return;
      found.push(`${change.link.name} ${(change.link.flags & Iff.IFF_UP) === 0 ? "down" : "up"}`);
    });
    assert.deepEqual(failures, []);
    assert.deepEqual(found, ["up0 down", "up0 up"]);
    const setting = (path: string): string => readSysctl(`net/ipv4/${path}`, namespacePath(name));
    const conf = ["forwarding", "proxy_arp", "route_localnet"].map((one) => setting(`conf/up0/${one}`));
    assert.deepEqual(conf, ["1", "1", "1"]);
    assert.equal(setting("conf/far0/proxy_arp"), "0");
    assert.equal(setting("neigh/up0/proxy_delay"), "0");
    ip.socket.request("link.set", changeLink(index, { ipv4: { proxyArp: false } }));
    assert.deepEqual([setting("conf/up0/proxy_arp"), setting("conf/up0/forwarding")], ["0", "1"]);
  },
);

test("in a batch, refused requests are told by place and the rest is done", { skip }, (t) => {
  const { ip, name, index } = netWithVeth(t);
  const requests = Array.from({ length: 150 }, (_, i) => {
    const gateway = address(i === 70 || i === 149 ? "203.0.113.1" : "10.0.0.2");
    return newRoute(
      route(`10.${200 + (i >> 7)}.${i & 127}.0/24`, { nextHops: [{ interfaceIndex: index, gateway }] }),
    );
  });
  const failures = ip.socket.batch("route.add", requests);
  assert.deepEqual(
    failures.map((failure) => [failure.index, failure.error.errno, failure.error.detail]),
    [
      [70, "ENETUNREACH", "Nexthop has invalid gateway"],
      [149, "ENETUNREACH", "Nexthop has invalid gateway"],
    ],
  );
  assert.equal(rows(ipJson(name, "-N route show proto 12")).length, 148);
  assert.deepEqual(ip.socket.batch("route.add", []), []);
  // The socket is in step afterwards.
  assert.equal(
    ip.routes({ protocol: RouteProtocol.RTPROT_BIRD, table: RouteTable.RT_TABLE_MAIN }).length,
    148,
  );
});
