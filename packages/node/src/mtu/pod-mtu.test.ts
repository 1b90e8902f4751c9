/** Aim: pods get Felix's MTU. Method: interfaces and pools made of values, worked out by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pool } from "../../test/node-fixtures.ts";
import { defaultMtuPattern, hostMtu, podMtu } from "./pod-mtu.ts";

const pattern = new RegExp(defaultMtuPattern);

test("the host's MTU is the least of the interfaces that are up and lead elsewhere", () => {
  const up = (name: string, mtu: number) => ({ name, mtu, isUp: true });
  for (const [links, mtu] of [
    [[], 1460],
    [[up("lo", 65536), up("cali123", 1300), up("docker0", 1400)], 1460],
    [[up("eth0", 9000), up("lo", 65536)], 9000],
    [[up("eth0", 9000), up("enp3s0", 1500), up("wlan0", 2000)], 1500],
    [[up("eth0", 1500), { name: "eth1", mtu: 1280, isUp: false }], 1500],
  ] as const) {
    assert.equal(hostMtu(links, pattern), mtu, JSON.stringify(links));
  }
  for (const name of ["ens5", "eno1", "enP4p65s0", "enx001122334455", "ibp1s0", "wlp2s0", "eth12"])
    assert.equal(hostMtu([up(name, 1234)], pattern), 1234, name);
  assert.equal(hostMtu([up("eth0", 1400), up("bond0", 9000)], /^bond/), 9000);
});

test("the widest encapsulation of the enabled pools is taken off", () => {
  const plain = pool("10.0.0.0/16");
  const ipip = pool("10.1.0.0/16", { ipipMode: "CrossSubnet" });
  const vxlan = pool("10.2.0.0/16", { vxlanMode: "Always" });
  const vxlan6 = pool("fd00::/48", { vxlanMode: "CrossSubnet" });
  for (const [pools, mtu] of [
    [[], 1500],
    [[plain], 1500],
    [[plain, ipip], 1480],
    [[ipip, vxlan], 1450],
    [[vxlan, vxlan6, ipip], 1430],
    [[ipip, pool("10.2.0.0/16", { vxlanMode: "Always", disabled: true })], 1480],
  ] as const) {
    assert.equal(podMtu(1500, pools), mtu, JSON.stringify(pools));
  }
});
