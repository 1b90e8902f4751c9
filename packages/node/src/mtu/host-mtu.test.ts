/** Aim: pods get Felix's MTU. Method: interfaces made of values, worked out by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileMtuPattern, defaultMtuPattern, hostMtu } from "./host-mtu.ts";

const pattern = new RegExp(defaultMtuPattern);

test("the host's MTU is the least of the interfaces that are up and lead elsewhere", () => {
  const up = (name: string, mtu: number) => ({ name, mtu, isUp: true });
  for (const [links, mtu] of [
    [[], undefined],
    [[up("lo", 65536), up("cali123", 1300), up("docker0", 1400)], undefined],
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

test("a pattern that is none is said to be none; an empty one is the default", () => {
  assert.equal(compileMtuPattern("("), undefined);
  assert.equal(compileMtuPattern("")?.source, defaultMtuPattern);
  assert.equal(compileMtuPattern(undefined)?.source, defaultMtuPattern);
  assert.equal(compileMtuPattern("^bond")?.source, "^bond");
});
