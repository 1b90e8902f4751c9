/**
 * Aim: what a neighbor is told is what its settings say, in the words of others' routers. Method: BIRD 2 of a private AS
 * announces, FRR and a second BIRD listen; what these show of the routes is looked at while the settings change.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, startBird, startFrrBgpd, Testbed } from "@caracal/testbed";
import { SpeakerProgram } from "./speaker-program.ts";

const skip = requireRoot() || requireTool("bird", "birdc", "bgpd", "vtysh");

/** Two sessions of one BIRD: two paths to one prefix. */
function sourceConfig(number: number): string {
  return `
router id 10.77.0.${number};
protocol device { }
protocol static { ipv4; route 10.60.0.0/16 blackhole; }
protocol bgp caracal {
  local 10.77.0.${number} as ${64600 + number};
  neighbor 10.77.0.1 as 3001;
  connect delay time 1;
  ipv4 { import none; export where source = RTS_STATIC; };
}
`;
}

const listenerConfig = `
router id 10.77.0.5;
protocol device { }
protocol bgp caracal {
  local 10.77.0.5 as 3001;
  neighbor 10.77.0.1 as 3001;
  connect delay time 1;
  ipv4 { import all; export none; add paths rx; import keep filtered; };
}
`;

const frrConfig = `
router bgp 3003
 bgp router-id 10.77.0.6
 no bgp ebgp-requires-policy
 neighbor 10.77.0.1 remote-as 3100
 neighbor 10.77.0.1 timers connect 1
`;

function speakerConfig(frr: string, bird: string): string {
  return `
routerId: 10.77.0.1
asn: 3001
listen: [{address: 10.77.0.1}]
neighbors:
  - {name: s2, address: 10.77.0.2, asn: 64602}
  - {name: s3, address: 10.77.0.3, asn: 64603}
  - {name: s4, address: 10.77.0.4, asn: 64604}
  - {name: bird, address: 10.77.0.5, asn: 3001, ${bird}}
  - {name: frr, address: 10.77.0.6, asn: 3003, localAsn: 3100, ${frr}}
`;
}

test(
  "local AS, private AS numbers, graceful shutdown and the best few paths, as FRR and BIRD see them",
  { skip },
  async (t) => {
    const bed = Testbed.create(t);
    const hosts = [
      await bed.namespace("us"),
      await bed.namespace("s2"),
      await bed.namespace("s3"),
      await bed.namespace("s4"),
      await bed.namespace("bird"),
      await bed.namespace("frr"),
    ] as const;
    await bed.network(
      "net",
      hosts.map((namespace, index) => ({
        namespace,
        name: "eth0",
        addresses: [`10.77.0.${index + 1}/24`] as const,
      })),
    );
    const [us, s2, s3, s4, birdHost, frrHost] = hosts;
    const first = speakerConfig(
      "removePrivateAs: all, localAsnMode: no-prepend",
      "addPaths: {send: 2}, nextHop: self",
    );
    const [bird, frr, speaker] = await Promise.all([
      startBird(bed, { namespace: birdHost, config: listenerConfig }),
      startFrrBgpd(bed, { namespace: frrHost, config: frrConfig }),
      SpeakerProgram.start(bed, us, first),
      ...[s2, s3, s4].map((namespace, index) =>
        startBird(bed, { namespace, config: sourceConfig(index + 2) }),
      ),
    ]);
    const untilFrrShows = (...patterns: readonly RegExp[]): Promise<unknown> =>
      eventually(
        async () => {
          const text = await frr.vtysh("show bgp ipv4 unicast 10.60.0.0/16");
          return patterns.every((pattern) => pattern.test(text));
        },
        { what: `${patterns.join(" and ")} at FRR` },
      );
    const untilBirdHas = (count: number): Promise<unknown> =>
      eventually(
        async () => {
          const text = await bird.birdc("show route all");
          return [...text.matchAll(/BGP\.as_path: 6460\d$/gm)].length === count;
        },
        { what: `${count} paths at BIRD` },
      );
    await untilFrrShows(/^ {2}3100 3001$/m);
    await untilBirdHas(2);
    // The third source may come last.
    await eventually(
      async () => {
        const routes = await speaker.show("routes", "10.60.0.0/16");
        return Array.isArray(routes) && routes.length === 3;
      },
      { what: "three paths of our own" },
    );
    await untilBirdHas(2);
    assert.partialDeepStrictEqual(await speaker.show("advertised", "bird", "10.60.0.0/16"), [
      { state: "told" },
      { state: "told" },
      { state: "kept", why: "path limit" },
    ]);

    speaker.write(
      speakerConfig(
        "removePrivateAs: all-replace, gracefulShutdown: true",
        "addPaths: {send: all}, nextHop: self",
      ),
    );
    assert.equal((await speaker.bgp("reload")).stderr, "");
    // RFC 8326 §4.1: FRR makes such a route its last choice.
    await untilFrrShows(/^ {2}3100 3100$/m, /localpref 0/, /graceful-shutdown/);
    await untilBirdHas(3);

    speaker.write(`requirePolicy: true\n${first}`);
    assert.equal((await speaker.bgp("reload")).stderr, "");
    await eventually(
      async () => (await frr.vtysh("show bgp ipv4 unicast 10.60.0.0/16")).includes("not in table"),
      {
        what: "no route at FRR",
      },
    );
    await untilBirdHas(0);
    assert.partialDeepStrictEqual(await speaker.show("neighbor", "frr"), {
      state: "Established",
      missingPolicies: ["import", "export"],
    });
  },
);
