/**
 * Aim: each daemon starts, answers and stops; two of them speak BGP over a bed's wire.
 * Method: Debian's own programs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  eventually,
  frrBgpd,
  type Namespace,
  requireRoot,
  requireTool,
  startBird,
  startEtcd,
  startFrrBgpd,
  startGobgpd,
  Testbed,
} from "../src/index.ts";

const BIRD = `
router id 10.0.0.1;
protocol device {}
protocol static { ipv4; route 10.1.0.0/16 blackhole; }
protocol bgp peer { local 10.0.0.1 as 64512; neighbor 10.0.0.2 as 64512; ipv4 { import all; export all; }; }
`;

async function twoHosts(bed: Testbed): Promise<readonly [Namespace, Namespace]> {
  const [a, b] = [await bed.namespace("a"), await bed.namespace("b")];
  await bed.wire(
    { namespace: a, name: "eth0", addresses: ["10.0.0.1/24"] },
    { namespace: b, name: "eth0", addresses: ["10.0.0.2/24"] },
  );
  return [a, b];
}

test("BIRD and GoBGP hold a session", { skip: requireRoot() || requireTool("bird", "gobgpd") }, async (t) => {
  const bed = Testbed.create(t);
  const [a, b] = await twoHosts(bed);
  const bird = await startBird(bed, { namespace: a, config: BIRD });
  const { gobgp } = await startGobgpd(bed, {
    namespace: b,
    config: `
[global.config]
  as = 64512
  router-id = "10.0.0.2"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.0.0.1"
    peer-as = 64512
`,
  });
  await eventually(async () => (await gobgp("global", "rib")).stdout.includes("10.1.0.0/16"), {
    what: "BIRD's route in GoBGP",
  });
  assert.match(await bird.birdc("show protocols peer"), /Established/);
});

test(
  "BIRD and FRR hold a session",
  { skip: requireRoot() || requireTool("bird", frrBgpd, "vtysh") },
  async (t) => {
    const bed = Testbed.create(t);
    const [a, b] = await twoHosts(bed);
    await startBird(bed, { namespace: a, config: BIRD });
    const config = "router bgp 64512\n bgp router-id 10.0.0.2\n neighbor 10.0.0.1 remote-as 64512\n";
    const { vtysh } = await startFrrBgpd(bed, { namespace: b, config });
    await eventually(async () => (await vtysh("show bgp ipv4 unicast")).includes("10.1.0.0/16"), {
      what: "BIRD's route in FRR",
    });
  },
);

test("etcd keeps a key over a restart", { skip: requireTool("etcd", "etcdctl") }, async (t) => {
  const bed = Testbed.create(t);
  const first = await startEtcd(bed);
  await first.etcdctl("put", "/a", "1");
  await first.program.stop();
  const second = await startEtcd(bed, { directory: first.directory });
  assert.equal((await second.etcdctl("get", "/a", "--print-value-only")).stdout, "1\n");
});
