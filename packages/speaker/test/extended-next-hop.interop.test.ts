/**
 * Aim: IPv4 routes over IPv6 next hops (RFC 8950) with BIRD 2 and FRR, and into the kernel. Method: three routers on a network
 * that has IPv6 addresses alone; what the peers and the kernel show is compared with what was announced.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, startBird, startFrrBgpd, Testbed } from "@caracal/testbed";
import { SpeakerProgram } from "./speaker-program.ts";

const skip = requireRoot() || requireTool("bird", "birdc", "bgpd", "vtysh");

const birdConfig = `
router id 10.77.0.2;
protocol device { }
protocol static { ipv4; route 10.60.0.0/16 blackhole; }
protocol bgp caracal {
  local fd77::2 as 65002;
  neighbor fd77::1 as 65001;
  connect delay time 1;
  ipv4 { import all; export where source = RTS_STATIC; extended next hop on; };
}
`;

const frrConfig = `
router bgp 65003
 bgp router-id 10.77.0.3
 no bgp network import-check
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor fd77::1 remote-as 65001
 neighbor fd77::1 timers connect 1
 neighbor fd77::1 capability extended-nexthop
 address-family ipv4 unicast
  network 10.70.0.0/16
  neighbor fd77::1 activate
 exit-address-family
`;

const speakerConfig = `
routerId: 10.77.0.1
asn: 65001
listen: [{address: "fd77::1"}]
kernel: {table: 100, protocol: 230}
static: [{prefix: 10.50.0.0/16, blackhole: true}]
neighbors:
  - {name: bird, address: "fd77::2", asn: 65002, families: [ipv4], extendedNextHop: true}
  - {name: frr, address: "fd77::3", asn: 65003, families: [ipv4], extendedNextHop: true}
`;

test("IPv4 routes reach BIRD, FRR and the kernel over IPv6 next hops", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const [host, birdHost, frrHost] = [
    await bed.namespace("us"),
    await bed.namespace("bird"),
    await bed.namespace("frr"),
  ];
  await bed.network(
    "net",
    [host, birdHost, frrHost].map((namespace, index) => ({
      namespace,
      name: "eth0",
      addresses: [`fd77::${index + 1}/64`] as const,
    })),
  );
  const [bird, frr, speaker] = await Promise.all([
    startBird(bed, { namespace: birdHost, config: birdConfig }),
    startFrrBgpd(bed, { namespace: frrHost, config: frrConfig }),
    SpeakerProgram.start(bed, host, speakerConfig),
  ]);
  const expected = [
    "10.60.0.0/16 via inet6 fd77::2 dev eth0 proto 230",
    "10.70.0.0/16 via inet6 fd77::3 dev eth0 proto 230",
    "blackhole 10.50.0.0/16 proto 230",
  ];
  await eventually(
    async () => {
      const { stdout } = await host.runAnyway(["ip", "-4", "route", "show", "table", "100"]);
      const found = stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.trim())
        .toSorted();
      return JSON.stringify(found) === JSON.stringify(expected);
    },
    { what: "the kernel's routes" },
  );
  for (const prefix of ["10.50.0.0/16", "10.70.0.0/16"]) {
    const shown = await eventually(async () => {
      const text = await bird.birdc(`show route all ${prefix}`);
      return text.includes("BGP.next_hop") ? text : undefined;
    });
    assert.match(shown, /BGP\.next_hop: fd77::1\b/);
  }
  const shown = await eventually(async () => {
    const text = await frr.vtysh("show bgp ipv4 unicast 10.60.0.0/16");
    return text.includes("65001 65002") ? text : undefined;
  });
  assert.match(shown, /fd77::1 from fd77::1/);
  assert.partialDeepStrictEqual(await speaker.show("neighbor", "bird"), {
    session: { families: ["ipv4"], localAddress: "fd77::1" },
  });
});
