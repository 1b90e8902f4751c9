// A table of nftables with 10,000 members and 1,000 floating addresses, programmed, changed by one member and put back after
// a flush, against the same statements given to a bare `nft -f` in the same run. Rounds alternate; medians count. Everything
// happens in a namespace that is removed at the end.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NftTable, TableReconciler, wholeScript } from "@caracal/dataplane";
import { createNamespace, deleteNamespace, namespacePath, NftRuleset, systemClock } from "../src/index.ts";

const memberCount = 10_000;
const floatingCount = 1_000;
const rounds = 7;

const name = `cb${process.pid}-${randomBytes(3).toString("hex")}`;
const directory = mkdtempSync(join(tmpdir(), "caracal-bench-"));

function table(members: number, floating: number): NftTable {
  const hosts = Array.from({ length: members }, (_, i) => [`10.${i >> 8}.${i & 255}.0/24`, ""] as const);
  const nats = Array.from(
    { length: floating },
    (_, i) => [`192.168.${i >> 8}.${i & 255}`, `10.9.${i >> 8}.${i & 255}`] as const,
  );
  return {
    family: "ip",
    name: "caracal",
    sets: [
      { name: "hosts", keyType: "ipv4_addr", isInterval: true, elements: new Map(hosts) },
      { name: "fip-dnat", keyType: "ipv4_addr", valueType: "ipv4_addr", elements: new Map(nats) },
    ],
    chains: [
      {
        name: "nat-PREROUTING",
        base: { type: "nat", hook: "prerouting", priority: -100 },
        rules: [{ text: "dnat to ip daddr map @fip-dnat" }],
      },
      {
        name: "nat-POSTROUTING",
        base: { type: "nat", hook: "postrouting", priority: 110 },
        rules: [{ text: "ip saddr @hosts ip daddr != @hosts masquerade" }],
      },
    ],
  };
}

function nft(...args: readonly string[]): void {
  execFileSync("nsenter", [`--net=${namespacePath(name)}`, "--", "nft", ...args], {
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

const took = new Map<string, number[]>();

async function measure(what: string, work: () => Promise<void> | void): Promise<void> {
  const start = performance.now();
  await work();
  took.set(what, [...(took.get(what) ?? []), performance.now() - start]);
}

function median(what: string): number {
  const sorted = (took.get(what) ?? []).toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

async function main(): Promise<void> {
  const full = table(memberCount, floatingCount);
  const file = join(directory, "whole.nft");
  writeFileSync(file, wholeScript(full));
  const one = join(directory, "one.nft");
  writeFileSync(one, "add element ip caracal fip-dnat { 192.168.100.1 : 10.9.100.1 }\n");
  for (let round = 0; round < rounds; round += 1) {
    await measure("nft -f", () => nft("-f", file));
    await measure("nft -f of one", () => nft("-f", one));
    nft("flush", "ruleset");
    await measure("nft -f, nft -j list", () => {
      nft("-f", file);
      nft("-j", "list", "table", "ip", "caracal");
    });
    nft("flush", "ruleset");
    using ruleset = new NftRuleset({ namespace: namespacePath(name) });
    let onRepair: () => void = () => undefined;
    const reconciler = new TableReconciler({
      ruleset,
      clock: systemClock,
      family: "ip",
      name: "caracal",
      onNews: () => onRepair(),
    });
    reconciler.start();
    const become = async (wanted: NftTable | undefined): Promise<void> => {
      reconciler.want(wanted);
      const { isReady, failure } = await reconciler.settled();
      if (!isReady) throw new Error(failure?.detail ?? "not ready");
    };
    await measure("programmed and read back", () => become(full));
    const more = table(memberCount, floatingCount + 1);
    await measure("one floating address more", () => become(more));
    await measure("one member less", () => become(table(memberCount - 1, floatingCount + 1)));
    const repaired = new Promise<void>((resolve) => (onRepair = resolve));
    nft("flush", "ruleset");
    await measure("put back after a flush", () => repaired);
    await become(undefined);
    reconciler.stop();
  }
  const print = (what: string, peer: string): void => {
    const [ours, theirs] = [median(what), median(peer)];
    console.log(
      `${what.padEnd(26)} ${ours.toFixed(1).padStart(7)} ms  ${peer} ${theirs.toFixed(1)} ms  ratio ${(ours / theirs).toFixed(2)}`,
    );
  };
  console.log(`${memberCount} members, ${floatingCount} floating addresses, medians of ${rounds} rounds`);
  print("programmed and read back", "nft -f, nft -j list");
  print("programmed and read back", "nft -f");
  print("one floating address more", "nft -f of one");
  print("one member less", "nft -f of one");
  print("put back after a flush", "nft -f");
}

createNamespace(name);
try {
  await main();
} finally {
  deleteNamespace(name);
  rmSync(directory, { recursive: true });
}
