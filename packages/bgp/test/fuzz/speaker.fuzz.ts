/**
 * A whole speaker, configured in any way, with a peer that sends nonsense and four honest ones that read in different ways:
 * two-octet AS numbers, path identifiers, long messages. They must stay connected, be told well-formed messages, and hold
 * in the end exactly what they would be told if they connected anew.
 */
import assert from "node:assert/strict";
import { type IpAddress, type IpFamily, Ipv4, Prefix } from "@caracal/net";
import { type Dice, type FuzzTarget } from "@caracal/testbed";
import {
  BmpMonitor,
  type Filter,
  type NamedPolicy,
  type PeerConfig,
  type PeerInput,
  Speaker,
  type SpeakerEffect,
  type SpeakerEvent,
  everythingReachable,
  formatEvent,
  parseEvent,
  peerConfig,
  speakerDefaults,
} from "../../src/index.ts";
import { type DecodeContext } from "../../src/wire/attribute-decoder.ts";
import { MessageSplitter, maxExtendedMessageBytes } from "../../src/wire/header.ts";
import { decodeMessage } from "../../src/wire/message.ts";
import { listNlri } from "../../src/wire/nlri.ts";
import { hex, message, rawKeepalive, rawOpen, usualCapabilities } from "../raw-message.ts";
import { addressOf, quickTimers } from "../simulation.ts";
import { anyMessage } from "./any-message.ts";

const localAsn = 64512;
const local = addressOf("10.0.0.100");
const families = ["010400010001", "010400020001"];

/** A peer that behaves, and how it reads. */
interface Honest {
  readonly number: number;
  readonly asn: number;
  readonly capabilities: readonly string[];
  readonly addPath: readonly IpFamily[];
  readonly as4: boolean;
}

const honest: readonly Honest[] = [
  { number: 2, asn: 65002, capabilities: families, addPath: [], as4: true },
  { number: 3, asn: 64512, capabilities: families, addPath: [], as4: true },
  { number: 4, asn: 65004, capabilities: families, addPath: [], as4: false },
  {
    number: 5,
    asn: 64512,
    capabilities: [...families, "4508 00010101 00020101".replaceAll(" ", ""), "0600"],
    addPath: [4, 6],
    as4: true,
  },
  {
    number: 6,
    asn: 65006,
    capabilities: [...families, "0200", "4600", "0600", "0506000100010002"],
    addPath: [],
    as4: true,
  },
];

function openOf({ number, asn, capabilities, as4 }: Honest): Uint8Array {
  const as4Capability = as4 ? [`4104${hex(asn, 4)}`] : [];
  return rawOpen({
    asn,
    id: hex(0x0a000000 + number, 4),
    holdTimeS: 0,
    capabilities: [...capabilities, ...as4Capability],
  });
}

/** What a peer's configuration may be, as far as it does not end honest sessions. */
function anyConfig(dice: Dice, number: number, asn: number): PeerConfig {
  const some = <T extends object>(value: () => T): T | undefined => (dice.chance(0.2) ? value() : undefined);
  const isExternal = asn !== localAsn;
  const input: PeerInput = {
    name: `p${number}`,
    address: addressOf(`10.0.0.${number}`),
    asn,
    passive: true,
    timers: { ...quickTimers, holdTimeMs: 0, keepaliveMs: 0 },
    families: [4, 6],
    addPathSend: number === 5,
    addPathReceive: dice.chance(0.5),
    otherFamilyAddress: addressOf("fd00::100"),
    nextHop: dice.pick(["default", "default", "self", "keep"]),
    reflectorClient: !isExternal && dice.chance(0.5),
    importPolicy: dice.pick(["", "some"]),
    exportPolicy: dice.pick(["", "some"]),
    extendedNextHop: number === 6,
    ...some(() => ({ allowLocalAs: dice.below(3) })),
    ...some(() => ({ longLivedTimeS: 60, longLivedPartial: dice.chance(0.5) })),
    ...some(() => ({ refuseAsSets: true })),
    ...some(() => ({ gracefulShutdown: true })),
    ...some(() => ({ blackhole: true })),
    ...some(() => ({ requirePolicy: true })),
    ...some(() => ({ addPathLimit: 1 + dice.below(2) })),
    ...some(() => ({ advertisementIntervalMs: 1000 })),
    ...some(() => ({ clusterId: Ipv4.of(7) })),
  };
  if (!isExternal) return peerConfig(input);
  return peerConfig({
    ...input,
    ...some(() => ({ role: dice.pick(["provider", "peer", "customer", "rs", "rs-client"] as const) })),
    ...some(() => ({
      removePrivateAs: { which: dice.pick(["all", "leading"] as const), replaces: dice.chance(0.5) },
    })),
    ...some(() => ({
      localAsn: 65500,
      localAsnMode: dice.pick(["replace-as", "no-prepend", "prepend"] as const),
    })),
  });
}

/** The one policy, which has changed as often as `version` says: it refuses a third of all prefixes, by their length. */
function policies(version: number): readonly NamedPolicy[] {
  const lengths = (longest: number): number[] =>
    Array.from({ length: longest + 1 }, (_, length) => length).filter((length) => length % 3 === version % 3);
  const prefixes = [
    ...lengths(32).map((length) => `0.0.0.0/0 ge ${length} le ${length}`),
    ...lengths(128).map((length) => `::/0 ge ${length} le ${length}`),
  ];
  const filter: Filter = {
    rules: [
      { match: { prefixes }, action: "reject" },
      { set: { communities: { set: [`0:${version}`] } }, action: "accept" },
    ],
    otherwise: "reject",
  };
  return [{ name: "some", direction: "import", peerType: "eBGP", filters: [filter] }];
}

class SpeakerRig {
  readonly speaker: Speaker;
  readonly monitor = new BmpMonitor();
  readonly configs: PeerConfig[];
  readonly fed: string[] = [];
  readonly contexts = new Map<string, DecodeContext>();
  /** What each honest connection has been told: attributes by prefix and path identifier. */
  readonly told = new Map<string, Map<string, string>>();
  now = 0;

  constructor(dice: Dice) {
    this.speaker = new Speaker(
      { ...speakerDefaults, routerId: Ipv4.of(0x0a000064), asn: localAsn },
      { resolver: everythingReachable, random: dice.next, policies: new Map() },
    );
    this.handle({ kind: "policies", policies: policies(0) });
    const all = [{ number: 1, asn: dice.pick([65001, localAsn]) }, ...honest];
    this.configs = all.map(({ number, asn }) => anyConfig(dice, number, asn));
    this.setPeers();
    for (const one of honest) this.join(one, 0);
  }

  setPeers(): void {
    this.handle({ kind: "peers", peers: this.configs });
  }

  /** An honest peer connects for the nth time. */
  join(peer: Honest, times: number): Map<string, string> {
    const connection = `good${peer.number}.${times}`;
    const { as4, addPath } = peer;
    this.contexts.set(connection, { as4, external: peer.asn !== localAsn, addPath, extendedNextHop: true });
    const told = new Map<string, string>();
    this.told.set(connection, told);
    this.connect(peer.number, connection, openOf(peer));
    return told;
  }

  connect(number: number, connection: string, open: Uint8Array): void {
    const remoteAddress: IpAddress = addressOf(`10.0.0.${number}`);
    this.handle({ kind: "accepted", connection, localAddress: local, remoteAddress });
    this.receive(connection, open);
    this.receive(connection, rawKeepalive);
    this.settle();
  }

  receive(connection: string, bytes: Uint8Array): void {
    this.fed.push(`${connection} ${bytes.toHex()}`);
    this.handle({ kind: "received", connection, bytes });
  }

  /** Lets a time pass that no wait but that of a restart survives. */
  wait(ms: number): void {
    this.now += ms;
    this.settle();
  }

  settle(): void {
    for (let count = 0; (this.speaker.deadline ?? Infinity) <= this.now; count += 1) {
      assert.ok(count < 1000, "the speaker comes to rest");
      this.handle({ kind: "tick" });
    }
  }

  handle(event: SpeakerEvent): void {
    assert.deepEqual(parseEvent(formatEvent(event)), event, "an event is what its line says");
    const effects = this.speaker.handle(event, this.now);
    this.monitor.observe(event, effects, this.now);
    this.see(effects);
  }

  see(effects: readonly SpeakerEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "close")
        assert.ok(!this.told.has(effect.connection), "honest peers stay connected");
      const told = effect.kind === "send" ? this.told.get(effect.connection) : undefined;
      const context = effect.kind === "send" ? this.contexts.get(effect.connection) : undefined;
      if (effect.kind === "send" && told !== undefined && context !== undefined)
        hear(told, effect.bytes, context);
    }
  }
}

/** Reads what an honest peer is sent; none of it may be wrong. */
function hear(told: Map<string, string>, bytes: Uint8Array, context: DecodeContext): void {
  const splitter = new MessageSplitter();
  splitter.maxMessageBytes = maxExtendedMessageBytes;
  splitter.push(bytes);
  for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
    const one = decodeMessage(frame, context);
    assert.notEqual(one.kind, "notification");
    if (one.kind !== "update") continue;
    assert.deepEqual(one.faults, [], frame.bytes.toHex());
    for (const block of one.withdrawn) for (const nlri of listNlri(block)) told.delete(keyOf(nlri));
    for (const { nlri, attributes } of one.announced) {
      const text = JSON.stringify(attributes, (_key, part: unknown) =>
        part instanceof Uint8Array ? part.toHex() : typeof part === "bigint" ? String(part) : part,
      );
      for (const each of listNlri(nlri)) told.set(keyOf(each), text);
    }
  }
}

function keyOf({ prefix, pathId }: { readonly prefix: Prefix; readonly pathId: number }): string {
  return `${Prefix.format(prefix)} ${pathId}`;
}

/** One life of the peer that sends nonsense. */
function misbehave(rig: SpeakerRig, dice: Dice, life: number): void {
  const [config] = rig.configs;
  assert.ok(config !== undefined);
  const connection = `bad${life}`;
  const as4 = dice.chance(0.7);
  const capabilities = [...usualCapabilities.slice(0, 3), ...(as4 ? [`4104${hex(config.asn, 4)}`] : [])];
  const addPath: readonly IpFamily[] = config.addPathReceive && dice.chance(0.5) ? [4, 6] : [];
  if (addPath.length > 0) capabilities.push("45080001010300020103");
  if (dice.chance(0.5)) capabilities.push("400a00780001018000020180");
  if (dice.chance(0.2)) capabilities.push("470e00010180000e1000020180000e10");
  rig.connect(1, connection, rawOpen({ asn: config.asn, holdTimeS: 0, capabilities }));
  const context: DecodeContext = { as4, external: config.asn !== localAsn, addPath };
  for (let count = dice.below(12); count > 0; count -= 1) {
    rig.receive(connection, anyMessage(dice, context));
    if (dice.chance(0.3)) disturb(rig, dice);
  }
  if (dice.chance(0.5)) rig.handle({ kind: "failed", connection, reason: "end" });
}

/** Something else that happens to the speaker meanwhile. */
function disturb(rig: SpeakerRig, dice: Dice): void {
  const one = dice.pick(honest);
  const connection = `good${one.number}.0`;
  switch (dice.below(5)) {
    case 0:
      rig.handle({ kind: "policies", policies: policies(1 + dice.below(5)) });
      break;
    case 1: {
      const index = dice.below(rig.configs.length);
      const before = rig.configs[index];
      if (before !== undefined)
        rig.configs[index] = {
          ...before,
          nextHop: dice.pick(["default", "self", "keep"]),
          allowLocalAs: dice.below(3),
        };
      rig.setPeers();
      break;
    }
    case 2:
      rig.receive(connection, message(5, dice.chance(0.5) ? "00010001" : "00020001"));
      break;
    case 3:
      rig.handle({ kind: "congested", connection, full: dice.chance(0.5) });
      break;
    default:
      rig.wait(dice.below(3000));
  }
}

const speaker: FuzzTarget["round"] = (dice, show) => {
  const rig = new SpeakerRig(dice);
  show({ configs: rig.configs, fed: rig.fed });
  rig.handle({
    kind: "localRoutes",
    routes: [{ prefix: prefixOf("10.1.0.0/16") }, { prefix: prefixOf("fd01::/32") }],
  });
  for (let life = 0; life < 3; life += 1) {
    rig.wait(100_000);
    misbehave(rig, dice, life);
  }
  for (const { number } of honest)
    rig.handle({ kind: "congested", connection: `good${number}.0`, full: false });
  rig.wait(5000);
  assert.ok(Array.from(rig.monitor.table(rig.speaker.routes(), rig.now)).length > 0);
  for (const one of honest) {
    const before = rig.told.get(`good${one.number}.0`);
    rig.told.delete(`good${one.number}.0`);
    rig.handle({ kind: "failed", connection: `good${one.number}.0`, reason: "end" });
    const anew = rig.join(one, 1);
    rig.wait(5000);
    assert.deepEqual(sorted(before), sorted(anew), `p${one.number} held what it is told anew`);
  }
  rig.handle({ kind: "localRoutes", routes: [] });
  rig.handle({ kind: "reset", peer: "p1" });
  rig.wait(10_000_000);
  assert.deepEqual(
    { ...rig.speaker.sizes },
    { attributeSets: 0, routes4: 0, routes6: 0 },
    "nothing stays of it",
  );
};

function sorted(told: ReadonlyMap<string, string> | undefined): [string, string][] {
  return [...(told ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text);
  assert.ok(prefix !== undefined);
  return prefix;
}

export const targets: readonly FuzzTarget[] = [{ name: "speaker", rounds: 150, round: speaker }];
