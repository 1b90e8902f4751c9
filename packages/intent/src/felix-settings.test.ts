/** Which settings hold on a node. Method: a few configurations laid over each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiVersion, type FelixConfiguration } from "@caracal/resources";
import { felixSettingsOf } from "./felix-settings.ts";

function felix(name: string, spec: FelixConfiguration["spec"]): FelixConfiguration {
  return { kind: "FelixConfiguration", apiVersion, metadata: { name }, spec };
}

const rack = { name: "n1", labels: { rack: "a" } };

test("the node's own settings win over selected ones, and those over the default, setting by setting", () => {
  const configurations = [
    felix("node.n1", { vxlanPort: 8472 }),
    felix("rack-a", { nodeSelector: "rack == 'a'", vxlanPort: 1, vxlanVNI: 7 }),
    felix("default", { vxlanPort: 2, vxlanVNI: 3, floatingIPs: "Enabled" }),
    felix("node.n2", { vxlanPort: 9 }),
  ];
  const found = felixSettingsOf(configurations, rack);
  assert.deepEqual([found.vxlanPort, found.vxlanVNI, found.floatingIPs], [8472, 7, "Enabled"]);
  const other = felixSettingsOf(configurations, { name: "n3", labels: {} });
  assert.deepEqual([other.vxlanPort, other.vxlanVNI], [2, 3]);
});

test("of several selected configurations the last by name wins; one without a selector counts for nothing", () => {
  const configurations = [
    felix("b", { nodeSelector: "all()", vxlanPort: 2 }),
    felix("a", { nodeSelector: "all()", vxlanPort: 1 }),
    felix("c", { vxlanPort: 3 }),
  ];
  assert.equal(felixSettingsOf(configurations, rack).vxlanPort, 2);
  assert.deepEqual(felixSettingsOf([], rack), {});
});

test("what the daemon's environment says wins over every object", () => {
  const own = felix("node.n1", { vxlanPort: 4790, vxlanVNI: 7 });
  const settings = felixSettingsOf([own], { name: "n1", labels: {} }, { vxlanVNI: 9 });
  assert.deepEqual([settings.vxlanPort, settings.vxlanVNI], [4790, 9]);
});
