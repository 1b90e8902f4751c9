/**
 * Aim: endpoint names and host interface names are those of Calico, and names read back to their parts.
 * Method: known names, then random parts both ways.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  hostInterfaceHashInput,
  hostInterfaceName,
  namespaceProfile,
  parseWorkloadEndpointName,
  serviceAccountProfile,
  workloadEndpointName,
  workloadEndpointNamePrefix,
} from "./workload-name.ts";

test("a name joins its parts with dashes and doubles those inside them", () => {
  const k8s = { node: "worker-1", orchestrator: "k8s", pod: "nginx-7fc5-abc", endpoint: "eth0" };
  assert.equal(workloadEndpointName(k8s), "worker--1-k8s-nginx--7fc5--abc-eth0");
  assert.equal(
    workloadEndpointName({ node: "n", orchestrator: "cni", containerID: "c1", endpoint: "eth0" }),
    "n-cni-c1-eth0",
  );
  assert.equal(
    workloadEndpointName({ node: "n", orchestrator: "libnetwork", endpoint: "e" }),
    "n-libnetwork-libnetwork-e",
  );
  assert.equal(
    workloadEndpointName({ node: "n", orchestrator: "openstack", workload: "w", endpoint: "e" }),
    "n-openstack-w-e",
  );
  for (const wrong of [{ ...k8s, node: "" }, { ...k8s, node: "-a" }, { ...k8s, pod: "a-" }, { node: "n" }]) {
    assert.equal(workloadEndpointName(wrong), undefined);
  }
});

test("a prefix stops at the first missing part and ends with a dash", () => {
  assert.equal(workloadEndpointNamePrefix({ node: "worker-1" }), "worker--1-");
  assert.equal(workloadEndpointNamePrefix({ node: "n", orchestrator: "k8s" }), "n-k8s-");
  assert.equal(workloadEndpointNamePrefix({}), "");
});

test("a name reads back to its parts", () => {
  const part = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?$/);
  fc.assert(
    fc.property(part, part, part, (node, workload, endpoint) => {
      const name = workloadEndpointName({ node, orchestrator: "openstack", workload, endpoint });
      assert.ok(name !== undefined);
      assert.deepEqual(parseWorkloadEndpointName(name), {
        node,
        orchestrator: "openstack",
        workload,
        endpoint,
      });
    }),
  );
  for (const wrong of ["", "a", "a-b-c", "a-b-c-d-e", "-a-b-c"])
    assert.equal(parseWorkloadEndpointName(wrong), undefined);
});

test("a host interface has 15 characters, from the SHA-1 of namespace and pod", () => {
  const digest = createHash("sha1").update(hostInterfaceHashInput("default", "nginx")).digest("hex");
  assert.equal(hostInterfaceHashInput("default", "nginx"), "default.nginx");
  assert.equal(hostInterfaceName(digest), `cali${digest.slice(0, 11)}`);
  assert.equal(hostInterfaceName(digest).length, 15);
  assert.equal(namespaceProfile("default"), "kns.default");
  assert.equal(serviceAccountProfile("default", "web"), "ksa.default.web");
});
