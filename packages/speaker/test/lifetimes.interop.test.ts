/**
 * Aim: routes and neighbours live as long with BIRD 2 and FRR at the other end as they should: long-lived graceful restart in
 * both roles, resets that keep routes, maximum prefixes at either end, neighbours that are known by a prefix only. Method: routers on one network, each in
 * a namespace; what BIRD shows is compared with what we show.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  type BirdDaemon,
  eventually,
  frrBgpd,
  type Namespace,
  requireRoot,
  requireTool,
  startBird,
  startFrrBgpd,
  Testbed,
} from "@caracal/testbed";
import { SpeakerProgram } from "./speaker-program.ts";

const skip = requireRoot() || requireTool("bird", "birdc");

interface Network {
  readonly bed: Testbed;
  readonly us: Namespace;
  readonly one: Namespace;
  readonly two: Namespace;
}

/** We are 10.78.0.1, the others 10.78.0.2 and 10.78.0.3. */
async function network(t: TestContext): Promise<Network> {
  const bed = Testbed.create(t);
  const [us, one, two] = [await bed.namespace("us"), await bed.namespace("one"), await bed.namespace("two")];
  await bed.network(
    "net",
    [us, one, two].map((namespace, index) => ({
      namespace,
      name: "eth0",
      addresses: [`10.78.0.${index + 1}/24`] as const,
    })),
  );
  return { bed, us, one, two };
}

function birdConfig(
  number: number,
  asn: number,
  prefixes: readonly string[],
  more = "",
  channel = "",
): string {
  return `
router id 10.78.0.${number};
protocol device { }
protocol static { ipv4; ${prefixes.map((prefix) => `route ${prefix} blackhole;`).join(" ")} }
protocol bgp caracal {
  local 10.78.0.${number} as ${asn};
  neighbor 10.78.0.1 as 65001;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ${more}
  ipv4 { import all; export where source = RTS_STATIC; ${channel} };
}
`;
}

const head = "routerId: 10.78.0.1\nasn: 65001\nlisten: [{address: 10.78.0.1}]\n";
const ours = "static: [{prefix: 10.50.0.0/16, blackhole: true}]\n";

/** Names, states and last errors. */
async function neighbors(speaker: SpeakerProgram): Promise<string[]> {
  const list = await speaker.show("neighbors");
  assert.ok(Array.isArray(list));
  return list.map((one: unknown) => {
    assert.ok(
      typeof one === "object" && one !== null && "name" in one && "state" in one && "lastError" in one,
    );
    return `${String(one.name)} ${String(one.state)} ${String(one.lastError)}`.trim();
  });
}

function untilNeighbors(speaker: SpeakerProgram, expected: readonly string[]): Promise<unknown> {
  return eventually(
    async () => {
      assert.deepEqual(await neighbors(speaker), expected);
      return true;
    },
    { what: expected.join(", ") },
  );
}

/** Prefix, communities and whether it is stale, of what we learned. */
async function learned(speaker: SpeakerProgram): Promise<string[]> {
  const list = await speaker.show("routes");
  assert.ok(Array.isArray(list));
  return list.flatMap((route: unknown) => {
    assert.ok(typeof route === "object" && route !== null && "prefix" in route && "stale" in route);
    if (!("neighbor" in route)) return [];
    const communities = "communities" in route ? ` ${String(route.communities)}` : "";
    return [`${String(route.prefix)}${communities}${route.stale === true ? " stale" : ""}`];
  });
}

function untilLearned(speaker: SpeakerProgram, expected: readonly string[]): Promise<unknown> {
  return eventually(
    async () => {
      assert.deepEqual((await learned(speaker)).toSorted(), expected);
      return true;
    },
    { what: expected.join(", ") },
  );
}

function birdSees(bird: BirdDaemon, command: string, pattern: RegExp): Promise<unknown> {
  let last = "";
  return eventually(
    async () => {
      last = await bird.birdc(command);
      return pattern.test(last);
    },
    { what: String(pattern) },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${last}`);
  });
}

const keepsLong = `
  graceful restart on; graceful restart time 1;
  long lived graceful restart on; long lived stale time 300;
`;

test(
  "a killed BIRD's routes are kept beyond its restart time, marked, and told so to another; they are its own again after",
  { skip },
  async (t) => {
    const { bed, us, one, two } = await network(t);
    const config = birdConfig(2, 65002, ["10.60.0.0/16"], keepsLong);
    const first = await startBird(bed, { namespace: one, config });
    const listener = await startBird(bed, { namespace: two, config: birdConfig(3, 65003, []) });
    const speaker = await SpeakerProgram.start(
      bed,
      us,
      `${head}neighbors:
  - {name: one, address: 10.78.0.2, asn: 65002, gracefulRestart: {longLivedTimeS: 200}}
  - {name: two, address: 10.78.0.3, asn: 65003}
`,
    );
    await untilNeighbors(speaker, ["one Established", "two Established"]);
    await untilLearned(speaker, ["10.60.0.0/16"]);
    await birdSees(first, "show protocols all caracal", /Long-lived graceful restart/);
    first.program.signal("SIGKILL");
    await first.program.exited;
    await untilLearned(speaker, ["10.60.0.0/16 llgr-stale stale"]);
    await birdSees(listener, "show route all 10.60.0.0/16", /BGP\.community: \(65535,6\)/);
    assert.partialDeepStrictEqual(await speaker.show("neighbor", "one"), {
      stale: [{ family: "ipv4", phase: "longLived" }],
    });
    await startBird(bed, { namespace: one, config });
    await untilLearned(speaker, ["10.60.0.0/16"]);
    await birdSees(listener, "show route all 10.60.0.0/16", /BGP\.as_path: 65001 65002\n(?![^]*community)/);
  },
);

test(
  "BIRD keeps our routes as long when we are killed, and as fresh ones when we are back",
  { skip },
  async (t) => {
    const { bed, us, one } = await network(t);
    const bird = await startBird(bed, { namespace: one, config: birdConfig(2, 65002, [], keepsLong) });
    const config = `${head}${ours}neighbors:
  - {address: 10.78.0.2, asn: 65002, gracefulRestart: {restartTimeS: 1, longLivedTimeS: 200}}
`;
    const speaker = await SpeakerProgram.start(bed, us, config);
    await birdSees(bird, "show route 10.50.0.0/16", /caracal/);
    speaker.program.signal("SIGKILL");
    await speaker.program.exited;
    await birdSees(bird, "show route 10.50.0.0/16", /\(100s\)/);
    await speaker.restart("SIGTERM", config);
    await birdSees(bird, "show route 10.50.0.0/16", /\(100\)/);
  },
);

test(
  "a BIRD that says too much is told so, left alone for a time, and let back when it says less",
  { skip },
  async (t) => {
    const { bed, us, one } = await network(t);
    const many = ["10.60.0.0/16", "10.61.0.0/16", "10.62.0.0/16"];
    const bird = await startBird(bed, { namespace: one, config: birdConfig(2, 65002, many) });
    const speaker = await SpeakerProgram.start(
      bed,
      us,
      `${head}neighbors:
  - {name: one, address: 10.78.0.2, asn: 65002, maxPrefixes: {limit: 2, restartAfterMs: 3000}}
`,
    );
    await birdSees(bird, "show protocols all caracal", /Received: Maximum number of prefixes reached/);
    assert.deepEqual(await learned(speaker), []);
    assert.match(speaker.program.output, /more prefixes than the maximum/);
    await bird.configure(birdConfig(2, 65002, many.slice(1)));
    await untilNeighbors(speaker, ["one Established"]);
    await untilLearned(speaker, many.slice(1));
    assert.partialDeepStrictEqual(await speaker.show("neighbor", "one"), {
      maxPrefixes: { limit: 2, action: "restart", ipv4: 2 },
    });
  },
);

test("BIRD's own limit ends the session with the reason that we show", { skip }, async (t) => {
  const { bed, us, one } = await network(t);
  const channel = "receive limit 1 action disable;";
  await startBird(bed, { namespace: one, config: birdConfig(2, 65002, [], "", channel) });
  const statics =
    "static: [{prefix: 10.50.0.0/16, blackhole: true}, {prefix: 10.51.0.0/16, blackhole: true}]\n";
  const speaker = await SpeakerProgram.start(
    bed,
    us,
    `${head}${statics}neighbors: [{name: one, address: 10.78.0.2, asn: 65002}]\n`,
  );
  await eventually(async () => (await neighbors(speaker))[0]?.includes("Maximum number of prefixes reached"));
});

test("BIRDs that connect from a prefix are neighbours, if they know its password", { skip }, async (t) => {
  const { bed, us, one, two } = await network(t);
  const file = `${head}${ours}neighbors:
  - {name: rack, prefix: 10.78.0.0/24, asn: 65002, password: secret, ttlSecurity: true, gracefulRestart: false}
`;
  const speaker = await SpeakerProgram.start(bed, us, file);
  const known = 'password "secret"; ttl security on;';
  const bird = await startBird(bed, {
    namespace: one,
    config: birdConfig(2, 65002, ["10.60.0.0/16"], known),
  });
  const stranger = await startBird(bed, {
    namespace: two,
    config: birdConfig(3, 65002, ["10.61.0.0/16"], known.replace("secret", "guess")),
  });
  await untilNeighbors(speaker, ["rack@10.78.0.2 Established"]);
  await untilLearned(speaker, ["10.60.0.0/16"]);
  await birdSees(bird, "show route 10.50.0.0/16", /caracal/);
  await stranger.configure(birdConfig(3, 65002, ["10.61.0.0/16"], known));
  await untilNeighbors(speaker, ["rack@10.78.0.2 Established", "rack@10.78.0.3 Established"]);
  await untilLearned(speaker, ["10.60.0.0/16", "10.61.0.0/16"]);
  const { stdout } = await speaker.bgp("show", "neighbor", "rack@10.78.0.3");
  assert.match(stdout, /One of: +rack\n/);

  const summary = (await speaker.bgp("show", "summary")).stdout;
  assert.match(summary, /From prefixes: +rack \(10\.78\.0\.0\/24\), AS 65002: 2 of at most 1000\n/);

  // The prefix gives way to an address, and goes.
  speaker.write(
    `${head}neighbors: [{name: one, address: 10.78.0.2, asn: 65002, password: secret, ttlSecurity: true}]\n`,
  );
  assert.equal((await speaker.bgp("reload")).stderr, "");
  await untilNeighbors(speaker, ["one Established"]);
  await untilLearned(speaker, ["10.60.0.0/16"]);
});

for (const isHard of [false, true]) {
  test(
    `FRR's reset ${isHard ? "that is a hard one takes its routes" : "by NOTIFICATION keeps its routes until it is back"}`,
    { skip: skip || requireTool(frrBgpd, "vtysh") },
    async (t) => {
      const { bed, us, one } = await network(t);
      const frr = await startFrrBgpd(bed, {
        namespace: one,
        config: `
router bgp 65002
 bgp router-id 10.78.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 bgp graceful-restart notification
 ${isHard ? "" : "no "}bgp hard-administrative-reset
 neighbor 10.78.0.1 remote-as 65001
 neighbor 10.78.0.1 timers connect 1
 address-family ipv4 unicast
  network 10.60.0.0/16
`,
      });
      const speaker = await SpeakerProgram.start(
        bed,
        us,
        `${head}neighbors: [{name: one, address: 10.78.0.2, asn: 65002}]\n`,
      );
      await untilLearned(speaker, ["10.60.0.0/16"]);
      await frr.vtysh("clear bgp 10.78.0.1");
      const reason = `${isHard ? "Hard reset: " : ""}Administrative reset`;
      await eventually(() => speaker.program.output.includes(`"reason":"Received: ${reason}`), {
        what: reason,
      });
      const kept = speaker.program.output.includes("staleRoutesKept");
      assert.equal(kept, !isHard, speaker.program.output);
      await untilLearned(speaker, ["10.60.0.0/16"]);
    },
  );
}
