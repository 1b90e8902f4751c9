/** Aim: Calico's network configurations are understood, texts for booleans included. Method: configurations and what they mean. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerVersion, parseNetworkConfig } from "./network-config.ts";

/** The plugin's part of the conflist that Calico's manifests install. */
const calicoExample = {
  type: "calico",
  log_level: "info",
  log_file_path: "/var/log/calico/cni/cni.log",
  datastore_type: "kubernetes",
  nodename: "node-1",
  mtu: 0,
  ipam: { type: "calico-ipam", assign_ipv4: "true", assign_ipv6: "false" },
  policy: { type: "k8s" },
  kubernetes: { kubeconfig: "/etc/cni/net.d/calico-kubeconfig" },
  name: "k8s-pod-network",
  cniVersion: "0.3.1",
};

describe("parseNetworkConfig", () => {
  it("reads the configuration that Calico installs", () => {
    assert.deepEqual(parseNetworkConfig(JSON.stringify(calicoExample)), {
      cniVersion: "0.3.1",
      name: "k8s-pod-network",
      ipam: { type: "calico-ipam", families: [4], pools: { 4: [], 6: [] } },
      mtu: undefined,
      requireMtuFile: false,
      usesKubernetesPolicy: true,
      allowsIpForwarding: false,
      includeDefaultRoutes: false,
      features: { ipAddrsNoIpam: false, floatingIps: false },
      podAnnotations: new Map(),
      previous: undefined,
      validAttachments: undefined,
    });
  });

  it("takes families and pools", () => {
    const ipam = {
      type: "calico-ipam",
      assign_ipv4: "false",
      assign_ipv6: true,
      ipv6_pools: ["fd00::/48", "other"],
    };
    const config = parseNetworkConfig(JSON.stringify({ ...calicoExample, ipam, mtu: 1400 }));
    assert.deepEqual(config.ipam, {
      type: "calico-ipam",
      families: [6],
      pools: { 4: [], 6: ["fd00::/48", "other"] },
    });
    assert.equal(config.mtu, 1400);
  });

  it("no version is 0.2.0, as before versions were", () => {
    const { cniVersion: _, ...old } = calicoExample;
    assert.equal(parseNetworkConfig(JSON.stringify(old)).cniVersion, "0.2.0");
    assert.equal(parseNetworkConfig(JSON.stringify({ ...old, cniVersion: "" })).cniVersion, "0.2.0");
  });

  it("refuses to assign nothing", () => {
    const ipam = { type: "calico-ipam", assign_ipv4: "false" };
    const stdin = JSON.stringify({ ...calicoExample, ipam });
    assert.throws(() => parseNetworkConfig(stdin), { code: 7, message: /both false/ });
  });

  it("names the member at fault by its path", () => {
    const stdin = JSON.stringify({ ...calicoExample, ipam: { type: "calico-ipam", ipv4_pools: [1] } });
    assert.throws(() => parseNetworkConfig(stdin), {
      code: 7,
      message: "ipam.ipv4_pools must be a list of texts",
    });
  });
});

describe("answerVersion", () => {
  for (const [stdin, version] of [
    [`{"cniVersion":"0.3.0"}`, "0.3.0"],
    ["{}", "0.2.0"],
    [`{"cniVersion":"9.9.9"}`, "1.1.0"],
    [`{"cniVersion":1}`, "1.1.0"],
    ["{", "1.1.0"],
  ] as const) {
    it(`of ${stdin} is ${version}`, () => assert.equal(answerVersion(stdin), version));
  }
});
