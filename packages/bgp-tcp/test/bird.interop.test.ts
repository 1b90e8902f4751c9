/**
 * Sessions with Debian's BIRD 2 in two namespaces joined by a wire: ours at 10.0.0.1, BIRD at 10.0.0.2. What `birdc`
 * shows is compared with what we hold. The library alone; the standalone speaker is tried with every router elsewhere.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BirdDaemon, eventually, requireRoot, requireTool, startBird } from "@caracal/testbed";
import { type SpeakerFile } from "./speaker-process.ts";
import { startSpeaker } from "./start-speaker.ts";
import { seen, wired } from "./wired.ts";

const skip = requireRoot() || requireTool("bird") || requireTool("birdc");

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

function birdSees(bird: BirdDaemon, command: string, pattern: RegExp): Promise<string> {
  return eventually(
    async () => {
      const text = await bird.birdc(command);
      return pattern.test(text) ? text : undefined;
    },
    { what: `${String(pattern)} in ${command}` },
  );
}

test(
  "an internal session: both sides connect, routes go both ways, capabilities are seen",
  { skip },
  async (t) => {
    const { bed, ours, theirs } = await wired(t);
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

test("BIRD killed and started again: its routes stay throughout", { skip }, async (t) => {
  const { bed, ours, theirs } = await wired(t);
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
    const { bed, ours, theirs } = await wired(t);
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

test("a dead wire: the hold timer ends the session and the routes go", { skip }, async (t) => {
  const { bed, ours, theirs } = await wired(t);
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
