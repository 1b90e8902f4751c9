/**
 * Sessions with Debian's BIRD 2 in two namespaces joined by a wire: ours at 10.0.0.1, BIRD at 10.0.0.2. What `birdc`
 * shows is compared with what we hold.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type BirdDaemon,
  Testbed,
  eventually,
  type Namespace,
  requireRoot,
  requireTool,
  startBird,
} from "@caracal/testbed";
import { type SpeakerFile, type SpeakerState } from "./speaker-process.ts";
import { type RunningSpeaker, startSpeaker } from "./start-speaker.ts";

const skip = requireRoot() || requireTool("bird") || requireTool("birdc");

interface Rig {
  readonly bed: Testbed;
  readonly ours: Namespace;
  readonly theirs: Namespace;
}

async function rig(t: TestContext): Promise<Rig> {
  const bed = Testbed.create(t);
  const [ours, theirs] = [await bed.namespace("ours"), await bed.namespace("bird")];
  await bed.wire(
    { namespace: ours, name: "eth0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
    { namespace: theirs, name: "eth0", addresses: ["10.0.0.2/24", "fd00::2/64"] },
  );
  return { bed, ours, theirs };
}

interface BirdSettings {
  readonly asn?: number;
  readonly peerAsn?: number;
  /** Lines inside `protocol bgp`. */
  readonly bgp?: string;
  readonly channel?: string;
  readonly routes?: readonly string[];
  readonly extra?: string;
}

function birdConfig(settings: BirdSettings = {}): string {
  const {
    asn = 64512,
    peerAsn = 64512,
    bgp = "",
    channel = "",
    routes = ["10.2.0.0/26"],
    extra = "",
  } = settings;
  const rest = channel === "" ? "import all; export where source ~ [RTS_STATIC, RTS_BGP];" : channel;
  return `
router id 10.0.0.2;
protocol device { scan time 1; }
protocol direct { ipv4; ipv6; }
protocol static static1 { ipv4; ${routes
    .filter((one) => !one.includes("::"))
    .map((one) => `route ${one} blackhole;`)
    .join(" ")} }
protocol static static6 { ipv6; ${routes
    .filter((one) => one.includes("::"))
    .map((one) => `route ${one} blackhole;`)
    .join(" ")} }
${extra}
protocol bgp ours {
  local 10.0.0.2 as ${asn};
  neighbor 10.0.0.1 as ${peerAsn};
  multihop;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  graceful restart on;
  ${bgp}
  ipv4 { add paths on; ${rest} };
}
`;
}

function ourFile(more: Partial<SpeakerFile> = {}): SpeakerFile {
  return {
    routerId: "10.0.0.1",
    asn: 64512,
    listen: [{ address: "10.0.0.1", port: 179 }],
    peers: [{ name: "bird", address: "10.0.0.2", asn: 64512, source: "10.0.0.1" }],
    origins: [{ prefix: "10.1.0.0/26" }],
    ...more,
  };
}

/** Waits until `look` holds for our state, which it returns. */
function seen(
  speaker: RunningSpeaker,
  what: string,
  look: (state: SpeakerState) => boolean,
): Promise<SpeakerState> {
  let last: SpeakerState | undefined;
  return eventually(
    async () => {
      last = await speaker.state();
      return look(last) ? last : undefined;
    },
    { what, deadlineMs: 20_000 },
  ).catch((error: unknown) => {
    throw new Error(
      `${String(error)}\nour state: ${JSON.stringify(last, undefined, 1)}\n${speaker.program.output}`,
    );
  });
}

function birdSees(bird: BirdDaemon, command: string, pattern: RegExp): Promise<string> {
  return eventually(
    async () => {
      const text = await bird.birdc(command);
      return pattern.test(text) ? text : undefined;
    },
    { what: `${String(pattern)} in ${command}`, deadlineMs: 20_000 },
  );
}

test(
  "an internal session: both sides connect, routes go both ways, capabilities are seen",
  { skip },
  async (t) => {
    const { bed, ours, theirs } = await rig(t);
    const bird = await startBird(bed, { namespace: theirs, config: birdConfig() });
    const speaker = await startSpeaker(bed, ours, ourFile());
    const state = await seen(speaker, "BIRD's route", (one) => one.best.includes("10.2.0.0/26 via 10.0.0.2"));
    assert.deepEqual(state.peers[0]?.capabilities, [
      "refresh",
      "enhanced-refresh",
      "restart-able",
      "llgr-aware",
      "AS4",
      "add-path-rx",
      "add-path-tx",
    ]);
    const shown = await birdSees(bird, "show route for 10.1.0.0/26 all", /BGP\.next_hop: 10\.0\.0\.1/);
    assert.match(shown, /BGP\.local_pref: 100/);
    assert.match(shown, /BGP\.as_path: ?\n/);
    const protocol = await bird.birdc("show protocols all ours");
    assert.match(protocol, /BGP state: +Established/);
    assert.match(protocol, /Neighbor ID: +10\.0\.0\.1/);
    assert.match(protocol, /1 imported/);
    assert.ok(state.synced || (await seen(speaker, "initial sync", (one) => one.synced)));
    await speaker.setOrigins([{ prefix: "10.1.0.64/26" }]);
    await birdSees(bird, "show route for 10.1.0.64/26", /10\.1\.0\.64\/26/);
    const after = await bird.birdc("show route");
    assert.doesNotMatch(after, /10\.1\.0\.0\/26/);
  },
);

for (const passive of [true, false]) {
  test(`an external session, ${passive ? "they connect" : "we connect"}`, { skip }, async (t) => {
    const { bed, ours, theirs } = await rig(t);
    const bird = await startBird(bed, {
      namespace: theirs,
      config: birdConfig({ asn: 65001, bgp: passive ? "" : "passive on;" }),
    });
    const speaker = await startSpeaker(
      bed,
      ours,
      ourFile({
        peers: [{ name: "bird", address: "10.0.0.2", asn: 65001, source: "10.0.0.1", passive }],
        origins: [{ prefix: "10.1.0.0/26", communities: [0xfc000007], med: 5 }],
      }),
    );
    const state = await seen(speaker, "BIRD's route", (one) => one.best.includes("10.2.0.0/26 via 10.0.0.2"));
    assert.equal(state.routes.find((one) => one.from !== undefined)?.asPath, "65001");
    const shown = await birdSees(bird, "show route for 10.1.0.0/26 all", /BGP\.as_path: 64512/);
    assert.match(shown, /BGP\.community: \(64512,7\)/);
    assert.match(shown, /BGP\.med: 5/);
  });
}

test("between a four-octet AS and a two-octet peer: the path survives AS_TRANS", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const [ours, old, modern] = [
    await bed.namespace("ours"),
    await bed.namespace("old"),
    await bed.namespace("new"),
  ];
  await bed.network("lan", [
    { namespace: ours, name: "eth0", addresses: ["10.0.0.1/24"] },
    { namespace: old, name: "eth0", addresses: ["10.0.0.2/24"] },
    { namespace: modern, name: "eth0", addresses: ["10.0.0.3/24"] },
  ]);
  const two = await startBird(bed, {
    namespace: old,
    config: birdConfig({
      asn: 65001,
      bgp: "enable as4 off;",
      channel:
        "import all; export filter { if source != RTS_STATIC then reject; bgp_path.prepend(4200000002); accept; };",
    }),
  });
  const four = await startBird(bed, {
    namespace: modern,
    config: birdConfig({ asn: 4_200_000_003, routes: ["10.3.0.0/26"] }).replaceAll("10.0.0.2", "10.0.0.3"),
  });
  const speaker = await startSpeaker(
    bed,
    ours,
    ourFile({
      peers: [
        { name: "old", address: "10.0.0.2", asn: 65001, source: "10.0.0.1" },
        { name: "new", address: "10.0.0.3", asn: 4_200_000_003, source: "10.0.0.1" },
      ],
    }),
  );
  const state = await seen(speaker, "both peers' routes", (one) => one.best.length === 3);
  assert.equal(state.peers[0]?.as4, false);
  const route = state.routes.find((one) => one.prefix === "10.2.0.0/26");
  assert.equal(route?.asPath, "65001 4200000002", "AS4_PATH is merged");
  assert.equal(route.nextHop, "10.0.0.2");
  const atFour = await birdSees(
    four,
    "show route for 10.2.0.0/26 all",
    /BGP\.as_path: 64512 65001 4200000002/,
  );
  assert.match(atFour, /BGP\.next_hop: 10\.0\.0\.1/);
  await birdSees(two, "show route for 10.3.0.0/26 all", /BGP\.as_path: 64512 4200000003/);
});

test("IPv6 over an IPv6 session", { skip }, async (t) => {
  const { bed, ours, theirs } = await rig(t);
  const config = `
router id 10.0.0.2;
protocol device { }
protocol static static6 { ipv6; route fd02::/64 blackhole; }
protocol bgp ours {
  local fd00::2 as 64512; neighbor fd00::1 as 64512; multihop;
  connect delay time 1; connect retry time 1;
  ipv6 { import all; export all; };
}`;
  const bird = await startBird(bed, { namespace: theirs, config });
  const speaker = await startSpeaker(
    bed,
    ours,
    ourFile({
      listen: [{ address: "fd00::1", port: 179 }],
      peers: [{ name: "bird", address: "fd00::2", asn: 64512, source: "fd00::1" }],
      origins: [{ prefix: "fd01::/64" }],
    }),
  );
  await seen(speaker, "BIRD's route", (one) => one.best.includes("fd02::/64 via fd00::2"));
  await birdSees(bird, "show route for fd01::/64 all", /BGP\.next_hop: fd00::1/);
});

test("BIRD killed and started again: its routes stay throughout", { skip }, async (t) => {
  const { bed, ours, theirs } = await rig(t);
  const bird = await startBird(bed, { namespace: theirs, config: birdConfig() });
  const speaker = await startSpeaker(bed, ours, ourFile());
  await seen(speaker, "BIRD's route", (one) => one.best.includes("10.2.0.0/26 via 10.0.0.2"));
  await birdSees(bird, "show route for 10.1.0.0/26", /10\.1\.0\.0\/26/);
  bird.program.signal("SIGKILL");
  await bird.program.exited;
  const kept = await seen(speaker, "the lost session", (one) => one.peers[0]?.state !== "Established");
  assert.equal(kept.peers[0]?.stale, 1);
  assert.ok(kept.best.includes("10.2.0.0/26 via 10.0.0.2"));
  // `-R` is BIRD's recovery after a graceful restart: it sets the R and F bits.
  const again = await startBird(bed, { namespace: theirs, config: birdConfig({ routes: ["10.2.0.64/26"] }) });
  await seen(
    speaker,
    "only the new route",
    (one) => one.best.includes("10.2.0.64/26 via 10.0.0.2") && one.best.length === 2,
  );
  await birdSees(again, "show route for 10.1.0.0/26", /10\.1\.0\.0\/26/);
});

test(
  "our speaker killed and started again: BIRD keeps our routes, then drops what is gone",
  { skip },
  async (t) => {
    const { bed, ours, theirs } = await rig(t);
    const bird = await startBird(bed, { namespace: theirs, config: birdConfig() });
    const origins = [{ prefix: "10.1.0.0/26" }, { prefix: "10.1.0.64/26" }];
    const speaker = await startSpeaker(bed, ours, ourFile({ origins }));
    await seen(speaker, "BIRD's route", (one) => one.best.includes("10.2.0.0/26 via 10.0.0.2"));
    await birdSees(bird, "show route", /10\.1\.0\.64\/26/);
    speaker.program.signal("SIGKILL");
    await speaker.program.exited;
    await birdSees(bird, "show protocols all ours", /BGP state: +(Active|Connect)/);
    assert.match(await bird.birdc("show route"), /10\.1\.0\.0\/26/);
    const next = await startSpeaker(
      bed,
      ours,
      ourFile({ restarting: true, origins: [{ prefix: "10.1.0.0/26" }] }),
    );
    await seen(next, "initial sync", (one) => one.synced && one.best.includes("10.2.0.0/26 via 10.0.0.2"));
    const shown = await eventually(async () => {
      const text = await bird.birdc("show route");
      return text.includes("10.1.0.64/26") ? undefined : text;
    });
    assert.match(shown, /10\.1\.0\.0\/26/);
  },
);

test("add-path: both of BIRD's paths to one prefix arrive", { skip }, async (t) => {
  const { bed, ours, theirs } = await rig(t);
  await theirs.ip("address", "add", "10.0.0.3/24", "dev", "eth0");
  const more = `
protocol static second { ipv4 { preference 150; }; route 10.2.0.0/26 via 10.0.0.9; }
`;
  const bird = await startBird(bed, {
    namespace: theirs,
    config: birdConfig({ extra: more, bgp: "rr client;" }),
  });
  const speaker = await startSpeaker(bed, ours, ourFile());
  const state = await seen(
    speaker,
    "two paths",
    (one) => one.routes.filter((route) => route.prefix === "10.2.0.0/26").length === 2,
  );
  assert.equal(
    new Set(state.routes.filter((one) => one.prefix === "10.2.0.0/26").map((one) => one.pathId)).size,
    2,
  );
  assert.ok(state.peers[0]?.addPathReceive && state.peers[0].addPathSend);
  await birdSees(bird, "show route for 10.1.0.0/26", /10\.1\.0\.0\/26/);
});

test("a dead wire: the hold timer ends the session and the routes go", { skip }, async (t) => {
  const { bed, ours, theirs } = await rig(t);
  await startBird(bed, { namespace: theirs, config: birdConfig() });
  const speaker = await startSpeaker(
    bed,
    ours,
    ourFile({
      peers: [{ name: "bird", address: "10.0.0.2", asn: 64512, source: "10.0.0.1", holdTimeMs: 3000 }],
    }),
  );
  await seen(speaker, "BIRD's route", (one) => one.best.includes("10.2.0.0/26 via 10.0.0.2"));
  await theirs.ip("link", "set", "eth0", "down");
  const state = await seen(speaker, "the hold timer", (one) => one.peers[0]?.state !== "Established");
  assert.equal(state.peers[0]?.lastError, "BGP Error: Hold timer expired");
  assert.deepEqual(state.best, ["10.1.0.0/26 via self"]);
  await theirs.ip("link", "set", "eth0", "up");
  await seen(speaker, "BIRD's route again", (one) => one.best.includes("10.2.0.0/26 via 10.0.0.2"));
});
