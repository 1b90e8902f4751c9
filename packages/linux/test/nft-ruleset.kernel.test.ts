/**
 * Tables of nftables in a real kernel: written, read back, watched and repaired. Method: a namespace of the test's own, `nft` as
 * the vandal and as the witness.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test, type TestContext } from "node:test";
import { IpAddress } from "@caracal/net";
import fc from "fast-check";
import { type NftTable, type TableNews, TableReconciler } from "@caracal/dataplane";
import { NftRuleset, namespacePath, systemClock } from "../src/index.ts";
import { freshNamespace, kernelSkip, run } from "./fresh-namespace.ts";

const skip = kernelSkip(["ip", "nft"]);
const waitMs = 60_000;

const empty: NftTable = { family: "ip", name: "caracal", sets: [], chains: [] };

/** One of each thing that tables of ours have. */
function sample(pools: readonly string[], nats: readonly (readonly [string, string])[] = []): NftTable {
  return {
    ...empty,
    sets: [
      {
        name: "cali40pools",
        keyType: "ipv4_addr",
        isInterval: true,
        elements: new Map(pools.map((pool) => [pool, ""])),
      },
      {
        name: "cali40hairpin",
        keyType: "ipv4_addr . ipv4_addr",
        valueType: "ipv4_addr",
        elements: new Map(nats.map(([external, internal]) => [`${internal} . ${internal}`, external])),
      },
    ],
    chains: [
      {
        name: "nat-POSTROUTING",
        base: { type: "nat", hook: "postrouting", priority: 110 },
        rules: [{ text: "jump nat-cali-nat-outgoing" }],
      },
      {
        name: "nat-cali-nat-outgoing",
        rules: [
          {
            text: "ip saddr @cali40pools ip daddr != @cali40pools meta l4proto tcp masquerade to :4000-5000 fully-random",
            comment: "pods to the world",
          },
          { text: "snat to ip saddr . ip daddr map @cali40hairpin" },
          { text: 'ip protocol 4 meta l4proto { tcp, udp } iifname "cali*" accept', comment: "odd" },
        ],
      },
    ],
  };
}

function setUp(t: TestContext) {
  const namespace = freshNamespace(t);
  const ruleset = new NftRuleset({ namespace: namespacePath(namespace) });
  t.after(() => ruleset[Symbol.dispose]());
  const news: TableNews[] = [];
  const reconciler = new TableReconciler({
    ruleset,
    clock: systemClock,
    family: "ip",
    name: "caracal",
    limits: { recheckMs: 3_600_000 },
    onNews: (one) => news.push(one),
  });
  reconciler.start();
  t.after(() => reconciler.stop());
  const nft = (...args: string[]): string => run(namespace, "nft", ...args);
  const repaired = async (count: number): Promise<readonly string[]> => {
    const end = Date.now() + waitMs;
    while (news.filter(({ kind }) => kind === "repaired").length < count) {
      assert.ok(Date.now() < end, `no repair: ${JSON.stringify(news)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const last = news.at(-1);
    return last?.kind === "repaired" ? last.differences : [];
  };
  return { namespace, ruleset, reconciler, news, nft, repaired };
}

test("a table goes in, is read back as it is, and changes by its members", { skip }, async (t) => {
  const { reconciler, nft, news } = setUp(t);
  reconciler.want(sample(["10.0.0.0/8", "192.168.7.1"]));
  assert.equal((await reconciler.settled()).isReady, true);
  assert.match(nft("list", "table", "ip", "caracal"), /elements = \{ 10\.0\.0\.0\/8, 192\.168\.7\.1 \}/);
  const handles = nft("-a", "list", "chain", "ip", "caracal", "nat-cali-nat-outgoing");
  reconciler.want(sample(["10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/5"], [["192.0.2.1", "10.1.0.1"]]));
  assert.equal((await reconciler.settled()).isReady, true);
  const listed = nft("list", "table", "ip", "caracal");
  assert.match(listed, /0\.0\.0\.0\/5, 10\.1\.0\.0\/16,\s+10\.2\.0\.0\/16/);
  assert.match(listed, /10\.1\.0\.1 \. 10\.1\.0\.1 : 192\.0\.2\.1/);
  assert.equal(nft("-a", "list", "chain", "ip", "caracal", "nat-cali-nat-outgoing"), handles, "rules stayed");
  assert.deepEqual(news, []);
  reconciler.want(undefined);
  await reconciler.settled();
  assert.equal(nft("list", "ruleset"), "");
});

test("a flushed ruleset comes back, and the news name the program", { skip }, async (t) => {
  const { reconciler, nft, news, repaired } = setUp(t);
  reconciler.want(sample(["10.0.0.0/8"]));
  await reconciler.settled();
  const before = nft("-s", "list", "ruleset");
  nft("flush", "ruleset");
  assert.deepEqual(await repaired(1), ["table ip caracal is gone"]);
  assert.equal(nft("-s", "list", "ruleset"), before);
  const [first] = news;
  assert.equal(first?.kind === "repaired" && first.by?.program, "nft");
});

test(
  "a rule deleted, altered or added, a member, a chain and a table of another kind: each is put right",
  { skip },
  async (t) => {
    const { reconciler, nft, repaired } = setUp(t);
    reconciler.want(sample(["10.0.0.0/8"]));
    await reconciler.settled();
    const before = nft("-s", "list", "ruleset");
    const chain = ["ip", "caracal", "nat-cali-nat-outgoing"];
    const handle = (): string =>
      /"pods to the world" # handle (\d+)/.exec(nft("-a", "list", "chain", ...chain))?.[1] ?? "";
    const vandals: readonly (readonly [() => void, RegExp])[] = [
      [() => nft("delete", "rule", ...chain, "handle", handle()), /has 2 rules instead of 3/],
      [
        () =>
          nft("replace", "rule", ...chain, "handle", handle(), "accept", "comment", '"pods to the world"'),
        /rule 1 of chain .* is another: pods to the world/,
      ],
      [() => nft("insert", "rule", ...chain, "accept"), /has 4 rules instead of 3/],
      [
        () => nft("add", "element", "ip", "caracal", "cali40pools", "{ 11.0.0.0/8 }"),
        /has 11\.0\.0\.0\/8 too much/,
      ],
      [
        () => nft("delete", "element", "ip", "caracal", "cali40pools", "{ 10.0.0.0/8 }"),
        /lacks 10\.0\.0\.0\/8/,
      ],
      [() => nft("add", "chain", "ip", "caracal", "theirs"), /chain theirs is not ours/],
      [() => nft("delete", "table", "ip", "caracal"), /table ip caracal is gone/],
    ];
    for (const [index, [act, told]] of vandals.entries()) {
      act();
      assert.match((await repaired(index + 1)).join(), told);
      assert.equal(nft("-s", "list", "ruleset"), before, String(told));
    }
  },
);

test("others' tables stay as they are, and their changes cause nothing", { skip }, async (t) => {
  const { reconciler, nft, news, namespace } = setUp(t);
  const others = [
    "add table ip kube-proxy",
    "add chain ip kube-proxy services { type nat hook prerouting priority -100; }",
    "add rule ip kube-proxy services tcp dport 80 dnat to 10.0.0.7",
    "add table inet mine",
    "add table ip6 caracal",
  ].join("\n");
  assert.equal(spawnSync("ip", ["netns", "exec", namespace, "nft", "-f", "-"], { input: others }).status, 0);
  const before = nft("-a", "list", "ruleset");
  reconciler.want(sample(["10.0.0.0/8"]));
  await reconciler.settled();
  reconciler.want(sample(["11.0.0.0/8"]));
  await reconciler.settled();
  nft("add", "rule", "ip", "kube-proxy", "services", "tcp", "dport", "81", "accept");
  nft("delete", "chain", "ip", "kube-proxy", "services");
  reconciler.want(undefined);
  await reconciler.settled();
  assert.deepEqual(news, []);
  assert.equal(
    nft("-a", "list", "ruleset").replace(/\n/g, ""),
    before.replace(/\tchain services \{[^}]*\}\n/, "").replace(/\n/g, ""),
  );
});

test("what nft refuses is told in its words, and nothing of it is done", { skip }, async (t) => {
  const { ruleset, nft } = setUp(t);
  const outcome = await ruleset.apply("add table ip caracal\nadd rule ip caracal nowhere accept\n");
  assert.ok(outcome.kind === "failed" && outcome.reason === "refused");
  assert.match(outcome.detail, /No such file or directory/);
  assert.equal(nft("list", "ruleset"), "");
});

test("a host without nft says so, for transactions and looks", { skip }, async (t) => {
  using ruleset = new NftRuleset({ namespace: namespacePath(freshNamespace(t)), program: "/nowhere/nft" });
  const told = {
    kind: "failed",
    reason: "missing",
    detail: "/nowhere/nft is not installed: NAT and tunnel protection need nftables",
  };
  assert.deepEqual(await ruleset.apply("add table ip t\n"), told);
  assert.deepEqual(await ruleset.list("ip", "t"), told);
});

test("a program that is not nft is told of", { skip }, async (t) => {
  const namespace = namespacePath(freshNamespace(t));
  using silent = new NftRuleset({ namespace, program: "true" });
  assert.equal((await silent.apply("add table ip t\n".repeat(100_000))).kind, "done");
  const listed = await silent.list("ip", "t");
  assert.ok(listed.kind === "failed" && listed.reason === "broken");
});

test("two reconcilers of one program do not take each other for strangers", { skip }, async (t) => {
  const { ruleset, reconciler, news } = setUp(t);
  const other = new TableReconciler({
    ruleset,
    clock: systemClock,
    family: "ip6",
    name: "caracal",
    onNews: (one) => news.push(one),
  });
  other.start();
  t.after(() => other.stop());
  for (let round = 0; round < 5; round += 1) {
    reconciler.want(sample([`10.${round}.0.0/16`]));
    other.want({ ...empty, family: "ip6", chains: [{ name: `c${round}`, rules: [] }] });
    await Promise.all([reconciler.settled(), other.settled()]);
  }
  assert.deepEqual([reconciler.status.isReady, other.status.isReady, news], [true, true, []]);
});

/** Prefixes of which none is in another: the ends of the address space, neighbours and halves of one, single addresses. */
const edges: Readonly<Record<"ip" | "ip6", readonly string[]>> = {
  ip: [
    "0.0.0.0",
    "0.0.0.1",
    "0.0.0.2/31",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "11.0.0.0/8",
    "255.255.255.254/31",
    "224.0.0.0/4",
    "0.0.0.0/0",
  ],
  ip6: ["::", "::1", "::ffff:1.2.3.4", "fd00::/64", "fd00:0:0:1::/64", "ff00::/8", "ffff:ffff::/32", "::/0"],
};

test(
  "whatever prefixes follow whatever others, the kernel has them, and is not written twice",
  { skip },
  async (t) => {
    const namespace = freshNamespace(t);
    using ruleset = new NftRuleset({ namespace: namespacePath(namespace) });
    for (const family of ["ip", "ip6"] as const) {
      const news: TableNews[] = [];
      const reconciler = new TableReconciler({
        ruleset,
        clock: systemClock,
        family,
        name: "caracal",
        onNews: (one) => news.push(one),
      });
      reconciler.start();
      t.after(() => reconciler.stop());
      await fc.assert(
        fc.asyncProperty(fc.subarray([...edges[family]]), async (prefixes) => {
          const isWhole = prefixes.includes(family === "ip" ? "0.0.0.0/0" : "::/0");
          const chosen = (isWhole ? prefixes.slice(-1) : prefixes).map(canonical).filter(isApart);
          const elements = new Map(chosen.map((prefix) => [prefix, ""]));
          const keyType = family === "ip" ? "ipv4_addr" : "ipv6_addr";
          const table = {
            family,
            name: "caracal",
            sets: [{ name: "s", keyType, isInterval: true, elements }],
            chains: [],
          };
          reconciler.want(table);
          const { isReady, failure } = await reconciler.settled();
          assert.ok(isReady, failure?.detail ?? "not ready");
          const listed = await ruleset.list(family, "caracal");
          assert.ok(listed.kind === "listed");
          assert.deepEqual(new Set(listed.table?.sets.get("s")?.elements.keys()), new Set(chosen));
        }),
        { numRuns: 25 },
      );
      assert.deepEqual(news, []);
    }
  },
);

/** `224.0.0.0/4` has `255.255.255.254/31` in it, `ff00::/8` has `ffff:ffff::/32`. */
function isApart(prefix: string, _index: number, all: readonly string[]): boolean {
  return !(
    (prefix === "255.255.255.254/31" && all.includes("224.0.0.0/4")) ||
    (prefix === "ffff:ffff::/32" && all.includes("ff00::/8"))
  );
}

function canonical(text: string): string {
  const address = IpAddress.parse(text);
  return address === undefined ? text : IpAddress.format(address);
}
