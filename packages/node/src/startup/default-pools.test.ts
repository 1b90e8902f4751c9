/** Which default pools a first node makes. Method: pure, on hosts given as data. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import { ipPoolKind } from "@caracal/resources";
import { readConfig } from "../config.ts";
import { mergeClusterType } from "./cluster-type.ts";
import { missingPools } from "./default-pools.ts";

const none = { pools: [], interfaces: [], randomBytes: new Uint8Array(5) };

function configs(environment: Record<string, string>): Parameters<typeof missingPools>[0] {
  const outcome = readConfig(environment);
  assert.ok(outcome.kind === "ok");
  return outcome.config.defaultPools;
}

test("S1's environment makes one valid pool without encapsulation", () => {
  const environment = { CALICO_IPV4POOL_CIDR: "10.244.0.0/16", CALICO_IPV6POOL_CIDR: "none" };
  const [document, ...more] = missingPools(configs(environment), none);
  assert.equal(more.length, 0);
  const reading = ipPoolKind.parse(document, "user");
  assert.ok(reading.kind === "ok");
  assert.equal(reading.value.metadata.name, "default-ipv4-ippool");
  assert.equal(reading.value.spec.ipipMode, "Never");
  assert.equal(reading.value.spec.natOutgoing, true);
});

test("a family that has any pool gets none", () => {
  const reading = ipPoolKind.parse(
    {
      apiVersion: "projectcalico.org/v3",
      kind: "IPPool",
      metadata: { name: "mine" },
      spec: { cidr: "10.0.0.0/8", disabled: true },
    },
    "user",
  );
  assert.ok(reading.kind === "ok");
  const made = missingPools(configs({}), { ...none, pools: [reading.value] });
  assert.deepEqual(
    made.map((pool) => pool.metadata.name),
    ["default-ipv6-ippool"],
  );
});

test("the range chosen holds no address of the host", () => {
  const address = Prefix.parseInterface("192.168.49.2/24");
  assert.ok(address !== undefined);
  const interfaces = [{ name: "eth0", isUp: true, addresses: [address] }];
  const [pool] = missingPools(configs({ CALICO_IPV6POOL_CIDR: "none" }), { ...none, interfaces });
  assert.equal(pool?.spec["cidr"], "172.16.0.0/16");
});

test("an IPv6 range is unique local", () => {
  const randomBytes = Uint8Array.of(0x12, 0x34, 0x56, 0x78, 0x9a);
  const [pool] = missingPools(configs({ CALICO_IPV4POOL_CIDR: "none" }), { ...none, randomBytes });
  assert.equal(pool?.spec["cidr"], "fd12:3456:789a::/48");
});

test("the cluster type only grows", () => {
  assert.equal(mergeClusterType("k8s,bgp", "bgp,kubeadm"), "k8s,bgp,kubeadm");
  assert.equal(mergeClusterType(undefined, ""), "");
});
