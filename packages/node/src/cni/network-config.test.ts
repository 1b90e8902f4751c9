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
      queueCount: 1,
      nodeName: { name: "node-1", file: undefined, isFileOptional: false },
      readinessGates: [],
      policySetup: undefined,
      ipamLockFile: undefined,
      usesKubernetesPolicy: true,
      allowsIpForwarding: false,
      includeDefaultRoutes: false,
      features: { ipAddrsNoIpam: false, floatingIps: false },
      podAnnotations: new Map(),
      requested: { ips: [], mac: undefined },
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

  it("takes what Calico's configurations may say besides", () => {
    const config = parseNetworkConfig(
      JSON.stringify({
        ...calicoExample,
        nodename: "",
        nodename_file: "/var/lib/other/nodename",
        nodename_file_optional: true,
        num_queues: 4,
        readiness_gates: ["http://localhost:9099/readiness"],
        policy_setup_timeout_seconds: 1_000,
        endpoint_status_dir: "/run/status",
        ipam_lock_file: "/run/ipam.lock",
        device_type: "veth",
        dataplane_options: { type: "linux" },
        qps: 5,
        burst: 10,
        windows_use_single_network: true,
        calico_api_group: "",
        num_rx: null,
      }),
    );
    assert.deepEqual(config.nodeName, {
      name: undefined,
      file: "/var/lib/other/nodename",
      isFileOptional: true,
    });
    assert.equal(config.queueCount, 4);
    assert.deepEqual(config.readinessGates, ["http://localhost:9099/readiness"]);
    assert.deepEqual(config.policySetup, { timeoutSeconds: 90, statusDirectory: "/run/status" });
    assert.equal(config.ipamLockFile, "/run/ipam.lock");
  });

  for (const [wrong, code, message] of [
    [{ num_queues: 4097 }, 7, "num_queues must be a whole number from 0 to 4096"],
    [{ readiness_gates: ["localhost:9099"] }, 7, "readiness_gates must be URLs of http or https"],
    [{ readiness_gates: Array(17).fill("http://a") }, 7, "readiness_gates must be at most 16 URLs"],
    [{ policy_setup_timeout_seconds: -1 }, 7, /^policy_setup_timeout_seconds must be/],
    [{ endpoint_status_dir: "status" }, 7, "endpoint_status_dir must be an absolute path"],
    [{ ipam_lock_file: "/a\0b" }, 7, "ipam_lock_file must be an absolute path"],
    [{ nodename_file: "nodename" }, 7, "nodename_file must be an absolute path"],
    [{ device_type: "netkit" }, 2, "device_type can only be veth here"],
    [{ dataplane_options: { type: "grpc" } }, 2, "dataplane_options.type can only be linux here"],
  ] as const) {
    it(`refuses ${JSON.stringify(wrong).slice(0, 60)}`, () => {
      const stdin = JSON.stringify({ ...calicoExample, ...wrong });
      assert.throws(() => parseNetworkConfig(stdin), { code, message });
    });
  }

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
