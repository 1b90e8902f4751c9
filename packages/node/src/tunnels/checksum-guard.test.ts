/** Aim: a device is probed once and held to what was found. Method: virtual time, a scripted probe, switches in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@caracal/dataplane";
import type { TunnelIntent } from "@caracal/intent";
import type { ChecksumVerdict } from "@caracal/linux";
import { Mac } from "@caracal/netlink";
import { address, memoryLog, prefix } from "../../test/node-fixtures.ts";
import { ChecksumGuard } from "./checksum-guard.ts";

function intent(gateways: readonly string[], checksumOffload?: boolean): TunnelIntent {
  return {
    tunnels: [
      {
        kind: "vxlan",
        name: "vxlan.calico",
        family: 4,
        vni: 4096,
        port: 4789,
        local: address("10.0.0.1"),
        mac: Mac.parse("66:00:00:00:00:01") ?? assert.fail(),
        address: address("10.244.1.0"),
        vteps: [],
        ...(checksumOffload === undefined ? {} : { checksumOffload }),
      },
    ],
    routes: gateways.map((text, at) => ({
      kind: "tunnel",
      prefix: prefix(`10.244.${at + 2}.0/24`),
      device: "vxlan.calico",
      gateway: address(text),
    })),
    problems: [],
  };
}

function rig(verdicts: readonly ChecksumVerdict[]) {
  const clock = new VirtualClock();
  const { log, lines } = memoryLog("warn");
  const state = { isOn: true };
  const probed: string[] = [];
  const left = [...verdicts];
  const guard = new ChecksumGuard({
    clock,
    log,
    probe: ({ from, to }) => {
      probed.push(`${from} ${to}`);
      const verdict = left.shift() ?? "unknown";
      if (verdict === "broken") state.isOn = false;
      return Promise.resolve(verdict);
    },
    offload: {
      readTxChecksum: () => state.isOn,
      setTxChecksum: (_name, isOn) => void (state.isOn = isOn),
    },
  });
  return { clock, guard, state, probed, lines };
}

test("another end is asked until one answers, and then nobody", async () => {
  const { clock, guard, probed } = rig(["unknown", "unknown", "sound"]);
  guard.look(intent(["10.244.2.0", "10.244.3.0"]));
  await clock.advance(1_000_000);
  assert.deepEqual(probed, ["10.244.1.0 10.244.2.0", "10.244.1.0 10.244.3.0", "10.244.1.0 10.244.2.0"]);
  guard.look(intent(["10.244.2.0"]));
  await clock.advance(1_000_000);
  assert.equal(probed.length, 3);
});

test("what is broken stays with the kernel, also on a device made anew", async () => {
  const { clock, guard, state, lines } = rig(["broken"]);
  guard.look(intent(["10.244.2.0"]));
  await clock.advance(10_000);
  assert.equal(state.isOn, false);
  assert.equal(lines.length, 1);
  state.isOn = true;
  guard.look(intent(["10.244.2.0"]));
  assert.equal(state.isOn, false);
});

test("without anyone to ask, or with nobody who answers, it is left at that", async () => {
  const { clock, guard, probed } = rig([]);
  guard.look(intent([]));
  await clock.advance(1_000_000);
  assert.deepEqual(probed, []);
  guard.look(intent(["10.244.2.0"]));
  await clock.advance(10_000_000);
  assert.equal(probed.length, 10);
});

test("what the settings say is not probed", async () => {
  const { clock, guard, state, probed } = rig(["broken"]);
  guard.look(intent(["10.244.2.0"], false));
  await clock.advance(100_000);
  assert.equal(state.isOn, false);
  guard.look(intent(["10.244.2.0"], true));
  assert.equal(state.isOn, true);
  assert.deepEqual(probed, []);
});
