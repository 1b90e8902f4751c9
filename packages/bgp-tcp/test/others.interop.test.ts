/** Sessions with Debian's GoBGP and FRR, one namespace each: ours at 10.0.0.1, theirs at 10.0.0.2. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type Namespace,
  Testbed,
  eventually,
  frrBgpd,
  requireRoot,
  requireTool,
  startFrrBgpd,
  startGobgpd,
} from "@caracal/testbed";
import { type RunningSpeaker, startSpeaker } from "./start-speaker.ts";

async function rig(
  t: TestContext,
  asn: number,
): Promise<{ bed: Testbed; theirs: Namespace; speaker: RunningSpeaker }> {
  const bed = Testbed.create(t);
  const [ours, theirs] = [await bed.namespace("ours"), await bed.namespace("theirs")];
  await bed.wire(
    { namespace: ours, name: "eth0", addresses: ["10.0.0.1/24"] },
    { namespace: theirs, name: "eth0", addresses: ["10.0.0.2/24"] },
  );
  const speaker = await startSpeaker(bed, ours, {
    routerId: "10.0.0.1",
    asn: 64512,
    listen: [{ port: 179 }],
    peers: [{ name: "them", address: "10.0.0.2", asn, source: "10.0.0.1" }],
    origins: [{ prefix: "10.1.0.0/26", communities: [0xfc000007] }],
  });
  return { bed, theirs, speaker };
}

async function theirRoute(speaker: RunningSpeaker): Promise<void> {
  await eventually(async () => (await speaker.state()).best.includes("10.2.0.0/26 via 10.0.0.2"), {
    what: "their route",
    deadlineMs: 30_000,
  });
}

const skipGobgp = requireRoot() || requireTool("gobgpd") || requireTool("gobgp");

test("GoBGP, an external peer: routes both ways", { skip: skipGobgp }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, 65001);
  const { gobgp } = await startGobgpd(bed, {
    namespace: theirs,
    config: `
[global.config]
as = 65001
router-id = "10.0.0.2"
[[neighbors]]
[neighbors.config]
neighbor-address = "10.0.0.1"
peer-as = 64512
[neighbors.timers.config]
connect-retry = 1
`,
  });
  await gobgp("global", "rib", "add", "10.2.0.0/26", "nexthop", "10.0.0.2");
  await theirRoute(speaker);
  const shown = await eventually(async () => {
    const { stdout } = await gobgp("global", "rib");
    return stdout.includes("10.1.0.0/26") ? stdout : undefined;
  });
  assert.match(shown, /10\.1\.0\.0\/26 +10\.0\.0\.1 +64512 .*64512:7/);
});

const skipFrr = requireRoot() || requireTool(frrBgpd, "vtysh");

test("FRR, an internal peer: routes both ways", { skip: skipFrr }, async (t) => {
  const { bed, theirs, speaker } = await rig(t, 64512);
  const { vtysh } = await startFrrBgpd(bed, {
    namespace: theirs,
    config: `
router bgp 64512
 bgp router-id 10.0.0.2
 no bgp network import-check
 no bgp ebgp-requires-policy
 neighbor 10.0.0.1 remote-as 64512
 neighbor 10.0.0.1 timers connect 1
 address-family ipv4 unicast
  network 10.2.0.0/26
 exit-address-family
`,
  });
  await theirRoute(speaker);
  const shown = await eventually(async () => {
    const text = await vtysh("show bgp ipv4 unicast 10.1.0.0/26");
    return text.includes("10.0.0.1") ? text : undefined;
  });
  assert.match(shown, /localpref 100/);
  assert.match(shown, /Community: 64512:7/);
});
