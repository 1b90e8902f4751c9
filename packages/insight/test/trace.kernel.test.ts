/**
 * Aim: a walk on paper ends as a packet does. Method: two pods, their nodes and a router between them in real namespaces;
 * faults are put in by dice, one or two at a time; the walk there and back, computed from what the namespaces' kernels
 * say, must arrive exactly when a ping is answered.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import { createNamespace, deleteNamespace, namespacePath, observeNetwork } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import { Dice, requireRoot, requireTool } from "@caracal/testbed";
import { type Place, type PlaceName, traceReport, type TraceReport, type World } from "../src/index.ts";

const skip = requireRoot() || requireTool("ip", "nft", "ping", "sysctl");

/** The addresses of one family: pods, their networks, and of the nodes' links to the router. */
interface Plan {
  readonly family: 4 | 6;
  readonly pod: (side: 1 | 2) => string;
  readonly pods: (side: 1 | 2) => string;
  readonly link: (side: 1 | 2, host: number) => string;
  readonly linkLength: number;
  readonly everything: string;
}

const plans: Readonly<Record<4 | 6, Plan>> = {
  4: {
    family: 4,
    pod: (side) => `10.244.${side}.5`,
    pods: (side) => `10.244.${side}.0/24`,
    link: (side, host) => `10.0.${side}.${host}`,
    linkLength: 24,
    everything: "0.0.0.0/0",
  },
  6: {
    family: 6,
    pod: (side) => `fd00:244:${side}::5`,
    pods: (side) => `fd00:244:${side}::/64`,
    link: (side, host) => `fd00:${side}::${host}`,
    linkLength: 64,
    everything: "::/0",
  },
};
/** Of the node's end of a pod's cable, by its MAC. */
const linkLocalGateway = "fe80::ecee:eeff:feee:eeee";

/** Names of namespaces by the places that they stand for. */
type Site = Readonly<Record<"podA" | "nodeA" | "router" | "nodeB" | "podB", string>>;

const placeNames: Readonly<Record<keyof Site, PlaceName>> = {
  podA: { kind: "pod", name: "default/a", node: "n1" },
  nodeA: { kind: "node", name: "n1" },
  router: { kind: "switch", name: "r" },
  nodeB: { kind: "node", name: "n2" },
  podB: { kind: "pod", name: "default/b", node: "n2" },
};

/** One broken thing: where, and the shell words that break it. */
const faults: readonly (readonly [where: keyof Site, words: string])[] = [
  ["nodeA", "ip route del 10.244.2.0/24"],
  ["router", "ip route del 10.244.2.0/24"],
  ["router", "ip route del 10.244.1.0/24"],
  ["nodeB", "ip route del 10.244.2.5"],
  ["nodeB", "ip route replace blackhole 10.244.1.0/24"],
  ["router", "ip route add unreachable 10.244.2.5"],
  ["nodeB", "ip rule add from 10.244.1.5 prio 50 prohibit"],
  ["nodeB", "ip rule add iif eth0 prio 50 lookup 77"],
  ["router", "sysctl -qw net.ipv4.conf.left.forwarding=0"],
  ["nodeA", "sysctl -qw net.ipv4.conf.cali1.proxy_arp=0"],
  ["nodeB", "sysctl -qw net.ipv4.conf.cali1.proxy_arp=0"],
  ["router", "sysctl -qw net.ipv4.conf.all.rp_filter=1"],
  ["router", "ip link set right down"],
  ["nodeB", "ip link set cali1 down"],
  ["router", "ip link set right mtu 1400"],
  ["nodeB", "ip link set cali1 mtu 900"],
  ["nodeA", "ip neigh replace 10.0.1.254 lladdr 02:00:00:00:00:99 dev eth0 nud permanent"],
  [
    "router",
    "nft add table ip t; nft add chain ip t f {type filter hook forward priority 0;}; nft add rule ip t f ip saddr 10.244.1.5 drop",
  ],
  [
    "nodeA",
    "nft add table ip t; nft add chain ip t p {type nat hook postrouting priority 100;}; nft add rule ip t p oifname eth0 masquerade",
  ],
  [
    "nodeB",
    "nft add table ip t; nft add chain ip t i {type filter hook forward priority 0; policy drop;}; nft add rule ip t i ct state established accept",
  ],
  [
    "nodeB",
    "nft add table ip t; nft add chain ip t i {type filter hook forward priority 0;}; nft add rule ip t i iifname cali1 meta l4proto icmp drop",
  ],
  ["router", "ip route replace 10.244.2.0/24 via 10.0.1.1"],
  ["podB", "ip addr del 10.244.2.5/32 dev eth0"],
  ["podB", "ip route del default"],
];

const faults6: typeof faults = [
  ["nodeA", "ip -6 route del fd00:244:2::/64"],
  ["router", "ip -6 route del fd00:244:1::/64"],
  ["nodeB", "ip -6 route del fd00:244:2::5"],
  ["router", "ip -6 route add unreachable fd00:244:2::5"],
  ["nodeB", "ip -6 rule add from fd00:244:1::5 prio 50 prohibit"],
  ["router", "sysctl -qw net.ipv6.conf.all.forwarding=0"],
  ["router", "ip link set right down"],
  ["router", "ip link set right mtu 1400"],
  ["nodeA", "ip neigh replace fd00:1::254 lladdr 02:00:00:00:00:99 dev eth0 nud permanent"],
  [
    "router",
    "nft add table ip6 t; nft add chain ip6 t f {type filter hook forward priority 0;}; nft add rule ip6 t f ip6 saddr fd00:244:1::5 drop",
  ],
  [
    "nodeA",
    "nft add table ip6 t; nft add chain ip6 t p {type nat hook postrouting priority 100;}; nft add rule ip6 t p oifname eth0 masquerade",
  ],
  ["podB", "ip -6 addr del fd00:244:2::5/128 dev eth0"],
];

function build(t: TestContext, plan: Plan = plans[4]): Site {
  const names = (["podA", "nodeA", "router", "nodeB", "podB"] as const).map((part) => {
    const name = `ct${process.pid}-${randomBytes(3).toString("hex")}-${part}`;
    createNamespace(name);
    t.after(() => deleteNamespace(name));
    return name;
  });
  const [podA = "", nodeA = "", router = "", nodeB = "", podB = ""] = names;
  const site = { podA, nodeA, router, nodeB, podB };
  for (const part of ["podA", "nodeA", "router", "nodeB", "podB"] as const) {
    const forwards = part === "podA" || part === "podB" ? 0 : 1;
    sh(site, part, `ip link set lo up; sysctl -qw net.ipv4.ip_forward=${forwards}`);
    sh(site, part, "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0");
    // Addresses are there at once: nobody else has them.
    sh(site, part, `sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=${forwards}`);
  }
  join(site, plan, { pod: "podA", node: "nodeA", side: 1, port: "left" });
  join(site, plan, { pod: "podB", node: "nodeB", side: 2, port: "right" });
  return site;
}

interface Half {
  readonly pod: "podA" | "podB";
  readonly node: "nodeA" | "nodeB";
  readonly side: 1 | 2;
  readonly port: string;
}

/** A pod on its node, as the plugin and the daemon make it, and the node on the router. */
function join(site: Site, plan: Plan, { pod, node, side, port }: Half): void {
  const { family, linkLength, everything } = plan;
  const [own, others] = [plan.pod(side), plan.pods(side === 1 ? 2 : 1)];
  const hostLength = family === 4 ? 32 : 128;
  const route = `ip -${family} route add`;
  const gateway = family === 4 ? "169.254.1.1" : linkLocalGateway;
  sh(
    site,
    node,
    `ip link add cali1 address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns ${site[pod]}; ip link set cali1 up`,
  );
  sh(site, node, "sysctl -qw net.ipv4.conf.cali1.proxy_arp=1 net.ipv4.neigh.cali1.proxy_delay=0");
  sh(site, pod, `ip link set eth0 up; ip addr add ${own}/${hostLength} dev eth0`);
  if (family === 4) sh(site, pod, `${route} ${gateway} dev eth0 scope link`);
  sh(site, pod, `${route} ${everything} via ${gateway} dev eth0`);
  sh(site, node, `ip link add eth0 type veth peer name ${port} netns ${site.router}; ip link set eth0 up`);
  sh(site, node, `ip addr add ${plan.link(side, 1)}/${linkLength} dev eth0`);
  sh(site, "router", `ip link set ${port} up; ip addr add ${plan.link(side, 254)}/${linkLength} dev ${port}`);
  sh(site, node, `${route} ${own} dev cali1; ${route} blackhole ${plan.pods(side)} proto bird`);
  sh(
    site,
    node,
    `${route} ${others} via ${plan.link(side, 254)}; ${route} ${everything} via ${plan.link(side, 254)}`,
  );
  sh(site, "router", `${route} ${plan.pods(side)} via ${plan.link(side, 1)}`);
}

function sh(site: Site, where: keyof Site, words: string): void {
  execFileSync("ip", [
    "netns",
    "exec",
    site[where],
    "sh",
    "-c",
    words.replaceAll(/nft (.*?)(?=; nft|$)/g, "nft '$1'"),
  ]);
}

async function computed(site: Site, bytes: number, plan: Plan = plans[4]): Promise<TraceReport> {
  const links = ([1, 2] as const).flatMap((side) => [plan.link(side, 1), plan.link(side, 254)]);
  const addresses = [plan.pod(1), plan.pod(2), ...links].map(address);
  const places: Place[] = [];
  for (const part of ["podA", "nodeA", "router", "nodeB", "podB"] as const) {
    const state = await observeNetwork({ addresses, interfaces: ["cali1"] }, namespacePath(site[part]));
    const isPod = part.startsWith("pod");
    places.push({
      name: placeNames[part],
      state,
      addresses: [],
      ...(isPod ? { hostInterface: "cali1" } : {}),
    });
  }
  const world: World = { places, about: new Set(addresses) };
  const end = (name: PlaceName, text: string) => ({
    text,
    place: name,
    addresses: [address(text)],
    isWholePlace: false,
  });
  const report = traceReport(world, {
    from: end(placeNames.podA, plan.pod(1)),
    to: end(placeNames.podB, plan.pod(2)),
    family: plan.family,
    packet: { protocol: "icmp", bytes },
  });
  assert.ok(report !== undefined);
  assert.deepEqual(report.wants.places, []);
  return report;
}

function address(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

function isAnswered(site: Site, bytes: number, plan: Plan = plans[4]): boolean {
  const payload = bytes - (plan.family === 4 ? 28 : 48);
  const command = ["ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", String(payload), plan.pod(2)];
  return spawnSync("ip", ["netns", "exec", site.podA, ...command]).status === 0;
}

/** Both on the way there and back, as a ping needs it. */
function arrives({ forward, back }: TraceReport): boolean {
  return forward.verdict.kind === "delivered" && back?.verdict.kind === "delivered";
}

function verdicts({ forward, back }: TraceReport): string {
  return JSON.stringify([forward.verdict, back?.verdict]);
}

for (const plan of [plans[4], plans[6]]) {
  test(`IPv${plan.family} without a fault arrives, and comes back the same way`, { skip }, async (t) => {
    const site = build(t, plan);
    assert.ok(isAnswered(site, 84, plan));
    const report = await computed(site, 84, plan);
    assert.ok(arrives(report) && report.isSymmetric === true, verdicts(report));
  });
}

for (const [where, words] of faults) {
  test(`${where}: ${words}`, { skip }, async (t) => {
    const site = build(t);
    sh(site, where, words);
    const report = await computed(site, 1450);
    assert.equal(arrives(report), isAnswered(site, 1450), verdicts(report));
  });
}

for (const [where, words] of faults6) {
  test(`IPv6, ${where}: ${words}`, { skip }, async (t) => {
    const site = build(t, plans[6]);
    sh(site, where, words);
    const report = await computed(site, 1450, plans[6]);
    assert.equal(arrives(report), isAnswered(site, 1450, plans[6]), verdicts(report));
  });
}

test("faults in pairs, by dice", { skip }, async (t) => {
  for (let seed = 1; seed <= 12; seed += 1) {
    const dice = new Dice(seed);
    const [first, second] = [dice.pick(faults), dice.pick(faults)];
    const bytes = dice.pick([84, 1000, 1450]);
    const site = build(t);
    for (const [where, words] of new Set([first, second])) {
      try {
        sh(site, where, words);
      } catch {
        // The first may have taken away what the second is about.
      }
    }
    const report = await computed(site, bytes);
    const what = `seed ${seed}: ${first.join(" ")} and ${second.join(" ")}: ${verdicts(report)}`;
    assert.equal(arrives(report), isAnswered(site, bytes), what);
  }
});
