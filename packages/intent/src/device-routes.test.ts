/** Aim: settings of device routes are read, and numbers that are others' are refused in one line. Method: settings by values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress } from "@caracal/net";
import { defaultDeviceRoutes, deviceRouteSettings } from "./device-routes.ts";
import type { FelixSettings } from "./felix-settings.ts";
import type { IntentProblem } from "./intent-problem.ts";

function read(felix: FelixSettings) {
  const problems: IntentProblem[] = [];
  const { deviceProtocol, ownProtocol, ...rest } = deviceRouteSettings(felix, problems);
  return { protocols: [deviceProtocol, ownProtocol], rest, told: problems.map(({ message }) => message) };
}

test("without settings routes are as Felix's", () => {
  const problems: IntentProblem[] = [];
  assert.deepEqual(deviceRouteSettings({}, problems), defaultDeviceRoutes);
  assert.deepEqual(problems, []);
});

test("a number of nobody's marks all routes, one that others use only those through our interfaces", () => {
  assert.deepEqual(read({ deviceRouteProtocol: 80 }).protocols, [80, 80]);
  assert.deepEqual(read({ deviceRouteProtocol: 98 }).protocols, [98, 98]);
  const shared = read({ deviceRouteProtocol: 4 });
  assert.deepEqual(shared.protocols, [4, 80]);
  assert.match(shared.told[0] ?? "", /^4 is the number of static: only routes through/);
});

test("the kernel's number, BIRD's, and what is none leave the default", () => {
  for (const number of [2, 12, 0, 256, -1]) {
    const { protocols, told } = read({ deviceRouteProtocol: number });
    assert.deepEqual(protocols, [3, 80]);
    assert.equal(told.length, 1, String(number));
  }
});

test("sources, metrics and what is left alone are the settings'", () => {
  const { rest } = read({
    deviceRouteSourceAddress: "10.0.0.21",
    deviceRouteSourceAddressIPv6: "fd00::21",
    ipv4NormalRoutePriority: 700,
    removeExternalRoutes: false,
    routeRefreshInterval: "10s",
  });
  assert.deepEqual([...rest.sources.values()].map(IpAddress.format), ["10.0.0.21", "fd00::21"]);
  assert.deepEqual([...rest.podMetrics], [[4, 700]]);
  assert.equal(rest.removesOthers, false);
  assert.equal(rest.refreshSeconds, 10);
});
