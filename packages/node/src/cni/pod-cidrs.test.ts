/** The node's pod networks in host-local's configuration, in every place where Calico's manifests name them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withPodCidrs } from "./pod-cidrs.ts";

const podCidrs = (): readonly string[] => ["10.244.3.0/24", "fd00:3::/64"];

function filled(ipam: object): unknown {
  return JSON.parse(withPodCidrs(JSON.stringify({ name: "n", ipam }), podCidrs));
}

test("both names stand for the node's networks, alone and in ranges", () => {
  const type = "host-local";
  assert.deepEqual(filled({ type, subnet: "usePodCidr" }), {
    name: "n",
    ipam: { type, subnet: "10.244.3.0/24" },
  });
  const ranges = [[{ subnet: "usePodCidr", gateway: "x" }], [{ subnet: "usePodCidrIPv6" }], "odd"];
  assert.deepEqual(filled({ type, ranges }), {
    name: "n",
    ipam: {
      type,
      ranges: [[{ subnet: "10.244.3.0/24", gateway: "x" }], [{ subnet: "fd00:3::/64" }], "odd"],
    },
  });
});

test("a configuration without them is left as it was written", () => {
  for (const text of ['{ "ipam": { "subnet": "10.0.0.0/8" } }', "usePodCidr", '{"ipam":"usePodCidr"}']) {
    assert.equal(withPodCidrs(text, podCidrs), text);
  }
});

test("a node without such a network says which it lacks", () => {
  const text = JSON.stringify({ ipam: { subnet: "usePodCidrIPv6" } });
  assert.throws(() => withPodCidrs(text, () => ["10.244.3.0/24"]), {
    code: 11,
    message: /no IPv6 pod network/,
  });
});
