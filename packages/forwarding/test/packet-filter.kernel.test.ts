/**
 * Aim: what is said of a packet filter is what nftables does. Method: real rules in fresh namespaces, read back by `nft
 * --json` as daemons read them, and packets whose fate is known.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import { createNamespace, deleteNamespace, namespacePath, observeNetwork } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import { requireRoot, requireTool } from "@caracal/testbed";
import {
  evaluateFilter,
  type FilterHook,
  type FilterOutcome,
  type FilterPacket,
  type PacketFilter,
} from "../src/index.ts";

const skip = requireRoot() || requireTool("nft", "ip");

async function filterOf(
  t: TestContext,
  rules: string,
  addresses: readonly string[] = [],
): Promise<PacketFilter> {
  const name = `cn${process.pid}-${randomBytes(3).toString("hex")}`;
  createNamespace(name);
  t.after(() => deleteNamespace(name));
  execFileSync("ip", ["netns", "exec", name, "nft", "-f", "-"], { input: rules });
  const state = await observeNetwork(
    { addresses: addresses.map(address), interfaces: [] },
    namespacePath(name),
  );
  assert.equal(state.filter.kind, "known");
  return state.filter;
}

function address(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

function packet(from: string, to: string, more: Partial<FilterPacket> = {}): FilterPacket {
  return {
    source: address(from),
    destination: address(to),
    protocol: 1,
    mark: 0,
    connection: "new",
    isLocal: (one) => one === address("10.0.0.21"),
    ...more,
  };
}

function fate(filter: PacketFilter, hook: FilterHook, one: FilterPacket): string {
  const outcome: FilterOutcome = evaluateFilter(filter, hook, one);
  if (outcome.kind === "dropped") return outcome.how;
  const { translation, uncertain, mark } = outcome;
  const to = translation?.address === undefined ? "" : ` ${IpAddress.format(translation.address)}`;
  const port = translation?.port === undefined ? "" : `:${translation.port}`;
  const words = [
    translation === undefined ? "passed" : `${translation.how}${to}${port}`,
    ...(mark === 0 ? [] : [`mark ${mark}`]),
    ...(uncertain.length === 0 ? [] : [`${uncertain.length} uncertain`]),
  ];
  return words.join(", ");
}

test("masquerade for a pool, as natOutgoing has it", { skip }, async (t) => {
  const filter = await filterOf(
    t,
    `table ip nat {
       set pools { type ipv4_addr; flags interval; elements = { 10.244.0.0/16, 10.250.0.0-10.250.0.9 } }
       set nodes { type ipv4_addr; elements = { 30.0.0.23, 30.0.0.24 } }
       chain outgoing { ip saddr @pools ip daddr != @pools ip daddr != @nodes counter masquerade fully-random; }
       chain postrouting { type nat hook postrouting priority srcnat; oifname != "cali*" jump outgoing; }
     }`,
    ["10.244.1.1", "8.8.8.8", "30.0.0.23"],
  );
  const out = { outputInterface: "eth0" };
  assert.equal(fate(filter, "postrouting", packet("10.244.1.1", "8.8.8.8", out)), "masquerade");
  assert.equal(fate(filter, "postrouting", packet("10.250.0.5", "8.8.8.8", out)), "masquerade");
  assert.equal(fate(filter, "postrouting", packet("10.250.0.10", "8.8.8.8", out)), "passed");
  assert.equal(fate(filter, "postrouting", packet("10.244.1.1", "10.244.2.1", out)), "passed");
  assert.equal(fate(filter, "postrouting", packet("10.244.1.1", "30.0.0.23", out)), "passed");
  assert.equal(
    fate(filter, "postrouting", packet("10.244.1.1", "8.8.8.8", { outputInterface: "cali1" })),
    "passed",
  );
  const answer = packet("10.244.1.1", "8.8.8.8", { ...out, connection: "established" });
  assert.equal(fate(filter, "postrouting", answer), "passed", "an answer follows its connection");
});

test("floating addresses and ports by maps", { skip }, async (t) => {
  const filter = await filterOf(
    t,
    `table ip nat {
       map floating { type ipv4_addr : ipv4_addr; elements = { 172.18.0.100 : 10.244.1.1, 172.18.0.101 : 10.244.1.2 } }
       map hairpin { type ipv4_addr . ipv4_addr : ipv4_addr; elements = { 10.244.1.1 . 10.244.1.1 : 192.0.2.9 } }
       chain prerouting { type nat hook prerouting priority dstnat;
         dnat to ip daddr map @floating
         dnat to ip saddr . ip daddr map @hairpin
         tcp dport 8080 fib daddr type local dnat to 10.244.1.9:80; }
     }`,
    ["172.18.0.100", "10.0.0.21", "10.244.1.1"],
  );
  assert.equal(fate(filter, "prerouting", packet("1.1.1.1", "172.18.0.100")), "dnat 10.244.1.1");
  assert.equal(fate(filter, "prerouting", packet("10.244.1.1", "10.244.1.1")), "dnat 192.0.2.9");
  assert.equal(fate(filter, "prerouting", packet("1.1.1.1", "10.244.1.1")), "passed");
  const web = { protocol: 6, sourcePort: 4000, destinationPort: 8080 };
  assert.match(fate(filter, "prerouting", packet("1.1.1.1", "10.0.0.21", web)), /^dnat 10\.244\.1\.9:80/);
  assert.doesNotMatch(fate(filter, "prerouting", packet("1.1.1.1", "10.0.0.22", web)), /dnat/);
});

test("drops by rule, by verdict map, by policy, and answers that pass", { skip }, async (t) => {
  const filter = await filterOf(
    t,
    `table inet guard {
       chain web { tcp dport { 80, 443, 8000-8010 } accept; reject; }
       chain forward { type filter hook forward priority filter; policy drop;
         ct state established,related accept
         meta mark & 0x10000 == 0x10000 accept
         iifname vmap { "cali1" : goto web, "cali2" : drop }
         ip saddr . ip daddr { 10.244.1.1 . 10.244.2.1 } accept
         ip6 saddr fd00::/8 accept; }
       chain prerouting { type filter hook prerouting priority raw; meta l4proto icmp meta mark set meta mark | 0x20000; }
     }`,
  );
  const tcp = (port: number, input: string): FilterPacket =>
    packet("10.244.1.1", "10.244.9.9", {
      protocol: 6,
      sourcePort: 1,
      destinationPort: port,
      inputInterface: input,
    });
  assert.equal(fate(filter, "forward", tcp(8005, "cali1")), "passed");
  assert.equal(fate(filter, "forward", tcp(8011, "cali1")), "reject");
  assert.equal(fate(filter, "forward", tcp(80, "cali2")), "drop");
  assert.equal(fate(filter, "forward", tcp(80, "eth0")), "drop");
  assert.equal(fate(filter, "forward", { ...tcp(80, "cali2"), connection: "established" }), "passed");
  assert.equal(fate(filter, "forward", { ...tcp(80, "cali2"), mark: 0x10001 }), "passed, mark 65537");
  assert.equal(
    fate(filter, "forward", packet("10.244.1.1", "10.244.2.1", { inputInterface: "eth0" })),
    "passed",
  );
  assert.equal(fate(filter, "forward", packet("fd00::1", "fd01::1", { inputInterface: "eth0" })), "passed");
  assert.equal(
    fate(filter, "prerouting", packet("10.244.1.1", "10.244.2.1", { mark: 1 })),
    "passed, mark 131073",
  );
});

test("what is not understood is said, and taken not to match", { skip }, async (t) => {
  const filter = await filterOf(
    t,
    `table ip odd { chain forward { type filter hook forward priority filter; ip dscp 10 drop; ip ttl 1 counter; numgen random mod 2 0 drop; }; }`,
  );
  assert.equal(fate(filter, "forward", packet("10.244.1.1", "10.244.2.1")), "passed, 2 uncertain");
});

test("a set is cut down to what matters, and says the same", { skip }, async (t) => {
  const many = Array.from({ length: 3_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`).join(", ");
  const rules = `table ip big { set s { type ipv4_addr; elements = { ${many}, 10.9.9.9 } }
    chain forward { type filter hook forward priority filter; ip saddr @s drop; }; }`;
  const filter = await filterOf(t, rules, ["10.9.9.9", "10.244.1.1"]);
  assert.ok(JSON.stringify(filter).length < 2_000);
  assert.equal(fate(filter, "forward", packet("10.9.9.9", "10.244.2.1")), "drop");
  assert.equal(fate(filter, "forward", packet("10.244.1.1", "10.244.2.1")), "passed");
});
