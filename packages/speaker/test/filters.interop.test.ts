/**
 * Aim: filters that ask for links follow the network, and what a neighbor marks as a blackhole is one in the kernel. Method: BIRD 2
 * announces next hops on two networks; the kernel's table is looked at before and after a route moves.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, startBird, Testbed } from "@caracal/testbed";
import { SpeakerProgram } from "./speaker-program.ts";

const skip = requireRoot() || requireTool("bird", "birdc");

const birdConfig = `
router id 10.77.0.2;
protocol device { }
protocol static {
  ipv4;
  route 10.60.0.0/16 blackhole;
  route 10.61.0.0/16 blackhole;
  route 10.62.0.1/32 blackhole { bgp_community.add((65535, 666)); };
}
protocol bgp caracal {
  local 10.77.0.2 as 65002;
  neighbor 10.77.0.1 as 65001;
  connect delay time 1;
  ipv4 { import all; export filter { if net = 10.61.0.0/16 then bgp_next_hop = 10.78.0.2; accept; }; };
}
`;

const speakerConfig = `
routerId: 10.77.0.1
asn: 65001
listen: [{address: 10.77.0.1}]
kernel: {table: 100, protocol: 230}
neighbors: [{name: bird, address: 10.77.0.2, asn: 65002, blackhole: true, import: near}]
filters:
  near:
    rules: [{match: {interfaces: [eth0]}, action: accept}]
    otherwise: reject
`;

test("a link filter follows the network, and a blackhole is one in the kernel", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const [host, birdHost] = [await bed.namespace("us"), await bed.namespace("bird")];
  for (const [index, name] of ["eth0", "eth1"].entries()) {
    await bed.network(
      `net${index}`,
      [host, birdHost].map((namespace, number) => ({
        namespace,
        name,
        addresses: [`10.${77 + index}.0.${number + 1}/24`] as const,
      })),
    );
  }
  await startBird(bed, { namespace: birdHost, config: birdConfig });
  const speaker = await SpeakerProgram.start(bed, host, speakerConfig);
  const untilKernelHas = (...routes: readonly string[]): Promise<unknown> =>
    eventually(
      async () => {
        const { stdout } = await host.runAnyway(["ip", "-4", "route", "show", "table", "100"]);
        const found = stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.trim()]));
        return found.toSorted().join() === routes.join();
      },
      { what: routes.join(", ") },
    );
  const near = "10.60.0.0/16 via 10.77.0.2 dev eth0 proto 230";
  const dropped = "blackhole 10.62.0.1 proto 230";
  await untilKernelHas(near, dropped);
  assert.partialDeepStrictEqual(await speaker.show("received", "bird", "10.61.0.0/16"), [
    { state: "filtered", why: "filter near, otherwise" },
  ]);
  assert.partialDeepStrictEqual(await speaker.show("routes", "10.62.0.1/32"), [
    { communities: ["blackhole", "no-export"] },
  ]);

  await host.ip("address", "del", "10.78.0.1/24", "dev", "eth1");
  await host.ip("route", "add", "10.78.0.0/24", "via", "10.77.0.2");
  await untilKernelHas(near, "10.61.0.0/16 via 10.77.0.2 dev eth0 proto 230", dropped);
  await host.ip("route", "del", "10.78.0.0/24");
  await host.ip("address", "add", "10.78.0.1/24", "dev", "eth1");
  await untilKernelHas(near, dropped);
});
