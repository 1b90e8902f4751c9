/**
 * Aim: what OPEN negotiates with BIRD 2 and FRR is used by both ends: messages beyond 4,096 bytes, refreshes with a beginning
 * and an end, roles and their mark on routes; and operators read each other's words. Method: two routers on a wire; what the
 * peer itself shows is compared with what we show.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  type BirdDaemon,
  eventually,
  type Namespace,
  requireRoot,
  requireTool,
  startBird,
  startFrrBgpd,
  Testbed,
} from "@caracal/testbed";
import { SpeakerProgram } from "./speaker-program.ts";

const skipBird = requireRoot() || requireTool("bird", "birdc");
const skipFrr = requireRoot() || requireTool("/usr/lib/frr/bgpd", "vtysh");

/** More communities than fit an ordinary message. */
const manyCommunities = Array.from({ length: 1500 }, (_, index) => `65010:${index}`);

interface Rig {
  readonly bed: Testbed;
  readonly theirs: Namespace;
  readonly speaker: SpeakerProgram;
}

async function rig(t: TestContext, config: (keys: string) => string, keys: string): Promise<Rig> {
  const bed = Testbed.create(t);
  const [ours, theirs] = [await bed.namespace("us"), await bed.namespace("them")];
  await bed.wire(
    { namespace: ours, name: "eth0", addresses: ["10.77.0.1/24"] },
    { namespace: theirs, name: "eth0", addresses: ["10.77.0.2/24"] },
  );
  return { bed, theirs, speaker: await SpeakerProgram.start(bed, ours, config(keys)) };
}

function ourConfig(keys: string): string {
  return `
routerId: 10.77.0.1
asn: 65001
listen: [{address: 10.77.0.1}]
static:
  - {prefix: 10.50.0.0/16, blackhole: true, communities: [${manyCommunities.join(", ")}]}
  - {prefix: 10.51.0.0/16, blackhole: true}
neighbors:
  - {name: them, address: 10.77.0.2, asn: 65002${keys === "" ? "" : `, ${keys}`}}
`;
}

function birdConfig(bgp = "", extraRoutes = ""): string {
  return `
log stderr all;
router id 10.77.0.2;
protocol device { }
filter tagged {
  if source != RTS_STATIC then reject;
  if net = 10.60.0.0/16 then {
    ${manyCommunities.map((one) => `bgp_community.add((${one.replace(":", ",")}));`).join("\n    ")}
  }
  accept;
}
protocol static { ipv4; route 10.60.0.0/16 blackhole; route 10.61.0.0/16 blackhole; ${extraRoutes} }
protocol bgp caracal {
  debug { packets };
  local 10.77.0.2 as 65002;
  neighbor 10.77.0.1 as 65001;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  enable extended messages on;
  ${bgp}
  ipv4 { import all; export filter tagged; };
}
`;
}

interface NeighborShown {
  readonly state: string;
  readonly lastError: string;
  readonly role?: string;
  readonly session?: {
    readonly capabilities: readonly string[];
    readonly maxMessageBytes: number;
    readonly neighborRole?: string;
  };
}

interface RouteShown {
  readonly prefix: string;
  readonly state: string;
  readonly communities?: readonly string[];
  readonly onlyToCustomer?: number;
}

async function neighbor(speaker: SpeakerProgram): Promise<NeighborShown> {
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- what neighborView makes
  const shown: NeighborShown = JSON.parse(
    (await speaker.bgp("show", "neighbors", "them", "-o", "json")).stdout,
  );
  return shown;
}

async function received(speaker: SpeakerProgram): Promise<readonly RouteShown[]> {
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- what routeView makes
  const shown: RouteShown[] = JSON.parse(
    (await speaker.bgp("show", "received", "them", "-o", "json")).stdout,
  );
  return shown;
}

function up(speaker: SpeakerProgram): Promise<NeighborShown> {
  return eventually(
    async () => {
      const shown = await neighbor(speaker);
      return shown.state === "Established" ? shown : undefined;
    },
    { what: "a session", intervalMs: 200 },
  );
}

function says(ask: () => Promise<string>, pattern: RegExp): Promise<string> {
  return eventually(
    async () => {
      const text = await ask();
      return pattern.test(text) ? text : undefined;
    },
    { what: String(pattern), intervalMs: 200 },
  );
}

const showBird = (bird: BirdDaemon) => (): Promise<string> => bird.birdc("show protocols all caracal");

test(
  "BIRD: a route with more attributes than 4,096 bytes passes both ways",
  { skip: skipBird },
  async (t) => {
    const { bed, theirs, speaker } = await rig(t, ourConfig, "");
    const bird = await startBird(bed, { namespace: theirs, config: birdConfig() });
    const { session } = await up(speaker);
    assert.equal(session?.maxMessageBytes, 65_535);
    assert.ok(session.capabilities.includes("ext-messages"));
    const shown = await says(showBird(bird), /Established/);
    assert.equal(shown.match(/Extended message/g)?.length, 2, `both ends say so:\n${shown}`);
    const long = await eventually(
      async () => (await received(speaker)).find(({ prefix }) => prefix === "10.60.0.0/16"),
      { what: "their long route", intervalMs: 200 },
    );
    assert.equal(long.communities?.length, manyCommunities.length);
    const theirsOfOurs = await says(() => bird.birdc("show route all 10.50.0.0/16"), /BGP\.community/);
    assert.equal(theirsOfOurs.match(/\(65010,\d+\)/g)?.length, manyCommunities.length);
  },
);

test("BIRD without extended messages is told what fits 4,096 bytes alone", { skip: skipBird }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "");
  const config = birdConfig().replace("enable extended messages on;", "");
  const bird = await startBird(bed, { namespace: theirs, config });
  assert.equal((await up(speaker)).session?.maxMessageBytes, 4096);
  const routes = await says(() => bird.birdc("show route protocol caracal"), /10\.51\.0\.0\/16/);
  assert.doesNotMatch(routes, /10\.50\.0\.0\/16/);
});

test("BIRD: a refresh is marked, both ways", { skip: skipBird }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "");
  const bird = await startBird(bed, { namespace: theirs, config: birdConfig() });
  await up(speaker);
  await says(() => bird.birdc("show route protocol caracal"), /10\.50\.0\.0\/16/);
  assert.match(await showBird(bird)(), /Enhanced refresh/);
  await bird.birdc("reload in caracal");
  await says(() => Promise.resolve(bird.program.output), /Got BEGIN-OF-RR[^]*Got END-OF-RR/);
  await says(() => bird.birdc("show route protocol caracal"), /10\.50\.0\.0\/16[^]*10\.51\.0\.0\/16/);
  assert.equal((await speaker.bgp("refresh", "them")).stdout, "them: asked for ipv4\n");
  await says(
    () => Promise.resolve(bird.program.output),
    /Got ROUTE-REFRESH[^]*Sending BEGIN-OF-RR[^]*Sending END-OF-RR/,
  );
  await eventually(async () => (await received(speaker)).length === 2, {
    intervalMs: 200,
  });
  assert.equal((await neighbor(speaker)).state, "Established");
});

test("BIRD: roles are agreed on, and routes are marked on the way down", { skip: skipBird }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "role: provider, strictRole: true");
  const bird = await startBird(bed, {
    namespace: theirs,
    config: birdConfig("local role customer; require roles on;"),
  });
  const shown = await up(speaker);
  assert.deepEqual([shown.role, shown.session?.neighborRole], ["provider", "customer"]);
  assert.match(await says(showBird(bird), /Established/), /Role: customer[^]*Role: provider/);
  // What comes down from us is marked with our AS.
  await says(() => bird.birdc("show route all 10.51.0.0/16"), /BGP\.otc: 65001/);
  // What comes up from it is not marked, as it is its own.
  const [route] = await eventually(async () => {
    const routes = await received(speaker);
    return routes.length === 2 ? routes : undefined;
  });
  assert.deepEqual([route?.state, route?.onlyToCustomer], ["valid", undefined]);
});

test("BIRD as provider: we mark what comes down with its AS", { skip: skipBird }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "role: customer");
  // Without a role of its own it marks nothing, and we do.
  await startBird(bed, { namespace: theirs, config: birdConfig() });
  await up(speaker);
  await eventually(
    async () => (await received(speaker)).some(({ onlyToCustomer }) => onlyToCustomer === 65002),
    { what: "a mark", intervalMs: 200 },
  );
});

test("BIRD: roles that do not fit are refused by either end", { skip: skipBird }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "role: provider");
  const bird = await startBird(bed, { namespace: theirs, config: birdConfig("local role peer;") });
  await says(showBird(bird), /Role mismatch/);
  await eventually(async () => (await neighbor(speaker)).lastError.endsWith(": Role mismatch"), {
    what: "our reason",
    intervalMs: 200,
  });
});

test("BIRD: operators read each other's words", { skip: skipBird }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "");
  const bird = await startBird(bed, { namespace: theirs, config: birdConfig() });
  await up(speaker);
  await speaker.bgp("reset", "them", "--message", "new filters");
  await says(() => Promise.resolve(bird.program.output), /Administrative reset: "new filters"/);
  await up(speaker);
  await bird.birdc('disable caracal "moving house"');
  await eventually(
    async () => (await neighbor(speaker)).lastError === "Received: Administrative shutdown: moving house",
    { what: "their words", intervalMs: 200 },
  );
  await bird.birdc("enable caracal");
  await up(speaker);
  speaker.write(ourConfig("shutdown: until noon"));
  await speaker.bgp("reload");
  await says(() => Promise.resolve(bird.program.output), /Administrative shutdown: "until noon"/);
  assert.equal((await neighbor(speaker)).state, "Idle");
  speaker.write(ourConfig(""));
  await speaker.bgp("reload");
  await up(speaker);
  await speaker.bgp("shutdown", "--message", "for good");
  await says(() => Promise.resolve(bird.program.output), /Administrative shutdown: "for good"/);
  await speaker.program.exited;
});

function frrConfig(neighborLines: readonly string[] = []): string {
  return `
router bgp 65002
 bgp router-id 10.77.0.2
 no bgp network import-check
 no bgp ebgp-requires-policy
 neighbor 10.77.0.1 remote-as 65001
 neighbor 10.77.0.1 timers connect 1
${neighborLines.map((line) => ` neighbor 10.77.0.1 ${line}\n`).join("")} address-family ipv4 unicast
  network 10.70.0.0/16
 exit-address-family
`;
}

test("FRR: extended messages, enhanced refresh and roles are agreed on", { skip: skipFrr }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "role: provider");
  const frr = await startFrrBgpd(bed, {
    namespace: theirs,
    config: frrConfig(["local-role customer strict-mode"]),
  });
  const shown = await up(speaker);
  assert.equal(shown.session?.maxMessageBytes, 65_535);
  assert.equal(shown.session.neighborRole, "customer");
  const text = await says(() => frr.vtysh("show bgp neighbors 10.77.0.1"), /BGP state = Established/);
  assert.match(text, /Local Role: customer/);
  assert.match(text, /Remote Role: provider/);
  assert.match(text, /Extended Message: advertised and received/);
  assert.match(text, /Enhanced Route Refresh: advertised and received/);
  const long = await says(() => frr.vtysh("show bgp ipv4 unicast 10.50.0.0/16 json"), /"community"/);
  // The list: FRR cuts the same as a text off.
  assert.equal(long.match(/^ *"65010:\d+"/gm)?.length, manyCommunities.length);
  assert.match(long, /"otc":65001/);
  await frr.vtysh("clear bgp 10.77.0.1 soft in");
  await says(() => frr.vtysh("show bgp ipv4 unicast"), /10\.50\.0\.0\/16[^]*10\.51\.0\.0\/16/);
  await speaker.bgp("refresh", "them");
  await eventually(async () => (await received(speaker)).length === 1, {
    intervalMs: 200,
  });
  assert.equal((await neighbor(speaker)).state, "Established");
});

test("FRR: a shutdown with a message is read", { skip: skipFrr }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, ourConfig, "");
  const frr = await startFrrBgpd(bed, { namespace: theirs, config: frrConfig() });
  await up(speaker);
  await frr.vtysh(
    "configure terminal",
    "router bgp 65002",
    "neighbor 10.77.0.1 shutdown message moving house",
  );
  await eventually(
    async () => (await neighbor(speaker)).lastError.endsWith("Administrative shutdown: moving house"),
    { what: "their words", intervalMs: 200 },
  );
});
