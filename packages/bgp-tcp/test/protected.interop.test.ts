/**
 * Protected sessions with Debian's BIRD 2 and FRR in namespaces: ours at 10.0.0.1, theirs one wire or one router
 * away. Each is tried with what must connect and with what must not, and with a change from one to the other.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type BirdDaemon,
  Testbed,
  eventually,
  frrBgpd,
  requireRoot,
  requireTool,
  startBird,
  startFrrBgpd,
} from "@caracal/testbed";
import { type PeerFile, type SpeakerFile, type SpeakerState } from "./speaker-process.ts";
import { type RunningSpeaker, startSpeaker } from "./start-speaker.ts";
import { type Rig, seen, wired } from "./wired.ts";

const skip = requireRoot() || requireTool("bird") || requireTool("birdc");
const password = "Wh1skers&tufted";

/** Two links with a router between them; theirs is 10.0.9.2. */
async function routed(t: TestContext): Promise<Rig> {
  const bed = Testbed.create(t);
  const [ours, router, theirs] = [
    await bed.namespace("ours"),
    await bed.namespace("router"),
    await bed.namespace("theirs"),
  ];
  await bed.wire(
    { namespace: ours, name: "eth0", addresses: ["10.0.0.1/24"] },
    { namespace: router, name: "left", addresses: ["10.0.0.9/24"] },
  );
  await bed.wire(
    { namespace: router, name: "right", addresses: ["10.0.9.1/24"] },
    { namespace: theirs, name: "eth0", addresses: ["10.0.9.2/24"] },
  );
  await router.sysctl("net.ipv4.ip_forward", 1);
  await ours.ip("route", "add", "10.0.9.0/24", "via", "10.0.0.9");
  await theirs.ip("route", "add", "10.0.0.0/24", "via", "10.0.9.1");
  return { bed, ours, theirs };
}

function birdConfig(bgp: string, local = "10.0.0.2", neighbor = "10.0.0.1"): string {
  const family = local.includes(":") ? "ipv6" : "ipv4";
  return `
router id 10.0.0.2;
protocol device { scan time 1; }
protocol bgp ours {
  local ${local} as 65001;
  neighbor ${neighbor} as 64512;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ${bgp}
  ${family} { import all; export all; };
}
`;
}

function ourFile(peer: Partial<PeerFile>): SpeakerFile {
  const one = { name: "them", address: "10.0.0.2", asn: 65001, source: "10.0.0.1", ...peer };
  return {
    routerId: "10.0.0.1",
    asn: 64512,
    listen: [{ port: 179 }],
    peers: [one],
    origins: [{ prefix: "10.1.0.0/26" }],
  };
}

function established(speaker: RunningSpeaker): Promise<SpeakerState> {
  return seen(speaker, "an established session", (state) => state.peers[0]?.state === "Established");
}

/** Waits for the reason that matches and checks that there never was a session. */
async function refused(speaker: RunningSpeaker, bird: BirdDaemon, reason: RegExp): Promise<void> {
  await seen(speaker, String(reason), (state) => reason.test(state.peers[0]?.lastError ?? ""));
  assert.doesNotMatch(await bird.birdc("show protocols all ours"), /BGP state: +Established/);
  assert.doesNotMatch(speaker.program.output, /"to":"Established"/);
}

function assertSecret(speaker: RunningSpeaker, state: SpeakerState): void {
  assert.ok(!JSON.stringify(state).includes(password));
  assert.ok(!speaker.program.output.includes(password));
}

test(
  "BIRD with another password: no session, the reason is shown; the right one mends it",
  { skip },
  async (t) => {
    const { bed, ours, theirs } = await wired(t);
    const bird = await startBird(bed, { namespace: theirs, config: birdConfig(`password "${password}";`) });
    const file = ourFile({ transport: { password: "wrong" } });
    const speaker = await startSpeaker(bed, ours, file);
    await refused(speaker, bird, /^Socket: Connection timed out \(check that the TCP-MD5 passwords/);
    await speaker.setPeers(ourFile({ transport: { password } }).peers);
    assertSecret(speaker, await established(speaker));
  },
);

test("BIRD without a password is not spoken to when we have one, nor the reverse", { skip }, async (t) => {
  const { bed, ours, theirs } = await wired(t);
  const bird = await startBird(bed, { namespace: theirs, config: birdConfig("") });
  const speaker = await startSpeaker(bed, ours, ourFile({ transport: { password } }));
  await refused(speaker, bird, /Connection timed out \(check that/);
  await bird.configure(birdConfig(`password "${password}";`));
  await speaker.setPeers(ourFile({}).peers);
  await seen(speaker, "a timeout", (state) => state.peers[0]?.lastError === "Socket: Connection timed out");
  assert.doesNotMatch(speaker.program.output, /"to":"Established"/);
});

test("a changed password resets its own session and no other", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const [ours, one, two] = [
    await bed.namespace("ours"),
    await bed.namespace("one"),
    await bed.namespace("two"),
  ];
  await bed.network("lan", [
    { namespace: ours, name: "eth0", addresses: ["10.0.0.1/24"] },
    { namespace: one, name: "eth0", addresses: ["10.0.0.2/24"] },
    { namespace: two, name: "eth0", addresses: ["10.0.0.3/24"] },
  ]);
  const first = await startBird(bed, { namespace: one, config: birdConfig(`password "first";`) });
  await startBird(bed, { namespace: two, config: birdConfig(`password "second";`, "10.0.0.3") });
  const peers = (password1: string): readonly PeerFile[] => [
    ...ourFile({ transport: { password: password1 } }).peers,
    ...ourFile({ name: "other", address: "10.0.0.3", transport: { password: "second" } }).peers,
  ];
  const speaker = await startSpeaker(bed, ours, { ...ourFile({}), peers: peers("first") });
  const both = (state: SpeakerState): boolean => state.peers.every((peer) => peer.state === "Established");
  const before = await seen(speaker, "both sessions", both);
  await speaker.setPeers(peers("third"));
  await seen(speaker, "the lost session", (state) => state.peers[0]?.state !== "Established");
  await first.configure(birdConfig(`password "third";`));
  const after = await seen(speaker, "both sessions again", both);
  assert.equal(after.peers[1]?.since, before.peers[1]?.since);
});

test("TTL security with BIRD on the same link, over IPv4 and IPv6", { skip }, async (t) => {
  const { bed, ours, theirs } = await wired(t);
  for (const [their, our] of [
    ["10.0.0.2", "10.0.0.1"],
    ["fd00::2", "fd00::1"],
  ] as const) {
    const bird = await startBird(bed, {
      namespace: theirs,
      config: birdConfig("multihop 1; ttl security on;", their, our),
    });
    const file = ourFile({ address: their, source: our, transport: { ttlSecurityHops: 1 } });
    const speaker = await startSpeaker(bed, ours, file);
    await established(speaker);
    await speaker.stop(false);
    await bird.program.stop();
  }
});

test("TTL security with a peer that does not send with TTL 255", { skip }, async (t) => {
  const { bed, ours, theirs } = await wired(t);
  const bird = await startBird(bed, { namespace: theirs, config: birdConfig("multihop 64;") });
  const speaker = await startSpeaker(bed, ours, ourFile({ transport: { ttlSecurityHops: 1 } }));
  await refused(speaker, bird, /No answer \(check that the peer sends with TTL 255 from at most 1 hop\)/);
});

for (const passive of [false, true]) {
  const who = passive ? "they connect" : "we connect";
  test(`TTL security over a router needs two hops, ${who}`, { skip }, async (t) => {
    const { bed, ours, theirs } = await routed(t);
    const bgp = `multihop 2; ttl security on; ${passive ? "" : "passive on;"}`;
    const bird = await startBird(bed, { namespace: theirs, config: birdConfig(bgp, "10.0.9.2") });
    const peer = (hops: number): SpeakerFile =>
      ourFile({ address: "10.0.9.2", passive, transport: { ttlSecurityHops: hops } });
    const speaker = await startSpeaker(bed, ours, peer(1));
    if (passive) {
      await eventually(async () => /BGP state: +Connect/.test(await bird.birdc("show protocols all ours")), {
        what: "BIRD's attempt",
      });
    } else {
      await refused(speaker, bird, /Connection timed out \(check that the peer sends with TTL 255/);
    }
    await speaker.setPeers(peer(2).peers);
    await established(speaker);
  });
}

test("a TTL of 1 does not reach over a router, and one of 2 does", { skip }, async (t) => {
  const { bed, ours, theirs } = await routed(t);
  const bird = await startBird(bed, {
    namespace: theirs,
    config: birdConfig("multihop; passive on;", "10.0.9.2"),
  });
  const speaker = await startSpeaker(bed, ours, ourFile({ address: "10.0.9.2", transport: { ttl: 1 } }));
  await refused(speaker, bird, /^Socket: (No route to host|Connection timed out)/);
  await speaker.setPeers(ourFile({ address: "10.0.9.2", transport: { ttl: 2 } }).peers);
  await established(speaker);
});

const skipFrr = requireRoot() || requireTool(frrBgpd, "vtysh");

test("FRR with password and TTL security", { skip: skipFrr }, async (t) => {
  const { bed, ours, theirs } = await wired(t);
  const transport = { password, ttlSecurityHops: 1 };
  const speaker = await startSpeaker(bed, ours, ourFile({ transport: { ...transport, password: "wrong" } }));
  await startFrrBgpd(bed, {
    namespace: theirs,
    config: `
router bgp 65001
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 neighbor 10.0.0.1 remote-as 64512
 neighbor 10.0.0.1 password ${password}
 neighbor 10.0.0.1 ttl-security hops 1
 neighbor 10.0.0.1 timers connect 1
`,
  });
  await seen(speaker, "the reason", (state) => /TCP-MD5.*TTL 255/.test(state.peers[0]?.lastError ?? ""));
  assert.doesNotMatch(speaker.program.output, /"to":"Established"/);
  await speaker.setPeers(ourFile({ transport }).peers);
  assertSecret(speaker, await established(speaker));
});
