/** Aim: annotations become Calico's QoS controls. Method: the limits, defaults and refusals of the fact sheet, one by one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuantity } from "./quantity.ts";
import { readQosControls } from "./qos-controls.ts";

const own = "qos.projectcalico.org/";
const read = (annotations: Readonly<Record<string, string>>) =>
  readQosControls(new Map(Object.entries(annotations)));

test("quantities are read as Kubernetes reads them", () => {
  for (const [text, value] of [
    ["10", 10],
    ["1.5M", 1_500_000],
    ["2Gi", 2 * 2 ** 30],
    ["3e6", 3_000_000],
    ["1E3", 1000],
    ["500m", 0.5],
    [".5k", 500],
    ["1E", 1e18],
  ] as const) {
    assert.equal(parseQuantity(text), value, text);
  }
  for (const text of ["", "M", "1 M", "1KB", "0x10", "1e", "ten", "1Ei2"])
    assert.equal(parseQuantity(text), undefined, text);
});

test("Kubernetes' bandwidths are taken, Calico's go before them, and bursts have their default", () => {
  assert.deepEqual(read({}), { problems: [] });
  assert.deepEqual(
    read({ "kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "20M" }),
    {
      problems: [],
      controls: { ingressBandwidth: 1e7, ingressBurst: 2 ** 32, egressBandwidth: 2e7, egressBurst: 2 ** 32 },
    },
  );
  assert.deepEqual(
    read({ "kubernetes.io/ingress-bandwidth": "10M", [`${own}ingressBandwidth`]: "1M" }).controls,
    {
      ingressBandwidth: 1e6,
      ingressBurst: 2 ** 32,
    },
  );
  const all = {
    ingressBandwidth: "1M",
    ingressBurst: "2M",
    ingressPeakrate: "3M",
    ingressMinburst: "2k",
    egressPacketRate: "100",
    egressPacketBurst: "7",
    egressMaxConnections: "9",
    dscp: "20",
  };
  assert.deepEqual(read(Object.fromEntries(Object.entries(all).map(([name, text]) => [own + name, text]))), {
    problems: [],
    controls: {
      ingressBandwidth: 1e6,
      ingressBurst: 2e6,
      ingressPeakrate: 3e6,
      ingressMinburst: 2000,
      egressPacketRate: 100,
      egressPacketBurst: 7,
      egressMaxConnections: 9,
      dscp: 20,
    },
  });
  assert.deepEqual(read({ [`${own}ingressPacketRate`]: "1", [`${own}dscp`]: "AF21" }).controls, {
    ingressPacketRate: 1,
    ingressPacketBurst: 5,
    dscp: "AF21",
  });
});

test("what is out of range is brought into it, what is senseless left out, each in one line", () => {
  for (const [annotations, controls, problem] of [
    [
      { ingressBandwidth: "1" },
      { ingressBandwidth: 1000, ingressBurst: 2 ** 32 },
      /must be 1000 to .* 1000 is taken/,
    ],
    [
      { ingressBandwidth: "2P" },
      { ingressBandwidth: 1e15, ingressBurst: 2 ** 32 },
      /1000000000000000 is taken/,
    ],
    [{ ingressBandwidth: "fast" }, undefined, /must be a quantity such as 10M: it is "fast"/],
    [{ ingressBurst: "1M" }, undefined, /ingressBurst says nothing without .*ingressBandwidth/],
    [{ egressMinburst: "1M" }, undefined, /without .*egressPeakrate/],
    [{ egressPacketBurst: "1" }, undefined, /without .*egressPacketRate/],
    [
      { egressBandwidth: "2M", egressPeakrate: "2M", egressMinburst: "2k" },
      { egressBandwidth: 2e6, egressBurst: 2 ** 32 },
      /must be above the bandwidth 2000000/,
    ],
    [{ dscp: "64" }, undefined, /dscp must be 0 to 63/],
    [{ dscp: "AF44" }, undefined, /dscp must be/],
    [{ egressMaxConnections: "0" }, { egressMaxConnections: 1 }, /1 is taken/],
  ] as const) {
    const reading = read(
      Object.fromEntries(Object.entries(annotations).map(([name, text]) => [own + name, text])),
    );
    assert.deepEqual(reading.controls, controls, JSON.stringify(annotations));
    assert.equal(reading.problems.length, 1, JSON.stringify(reading.problems));
    assert.match(reading.problems[0] ?? "", problem);
  }
});
