/**
 * Aim: what Calico's tools write is read as they mean it, and what is written they read. Method: objects as Calico's own
 * manifests and clients leave them; uids and metadata there and back by property.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import { kinds } from "@caracal/resources";
import fc from "fast-check";
import { readApiObject } from "../api/api-object.ts";
import { affinityLabels, affinityName, blockName } from "./affinity-names.ts";
import { fromClassicMetadata, toClassicMetadata } from "./classic-metadata.ts";
import { calicoNode, nodeAnnotations } from "./node-annotations.ts";
import { podEndpoint } from "./pod-endpoint.ts";
import { mirrorUid } from "./uid.ts";

function object(document: object) {
  const found = readApiObject(document);
  assert.ok(found !== undefined);
  return found;
}

function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  assert.ok(found !== undefined);
  return found;
}

test("a mirrored uid is another one of the same version, and mirrors back", () => {
  assert.equal(mirrorUid("01020304-0506-4708-8900-0000000000ff"), "8040c020-a060-4710-8900-0000000000ff");
  fc.assert(
    fc.property(fc.uuid(), (uid) => {
      assert.equal(mirrorUid(mirrorUid(uid)), uid);
      assert.match(mirrorUid(uid), /^[0-9a-f-]{36}$/);
      assert.equal(mirrorUid(uid)[14], uid[14]);
    }),
  );
  assert.equal(mirrorUid("no uuid"), "no uuid");
});

test("metadata goes into the annotation and comes back, Calico's own parts stay in sight", () => {
  const names = fc.stringMatching(/^[a-z][a-z0-9]{0,8}(\/[a-z]{1,5})?$/);
  const map = fc.dictionary(names, fc.string(), { maxKeys: 4, noNullPrototype: true });
  fc.assert(
    fc.property(map, map, (labels, annotations) => {
      const stored = {
        name: "p",
        uid: "ignored",
        creationTimestamp: "2024-01-08T03:12:11Z",
        labels: { ...labels, "projectcalico.org/kind": "x" },
        annotations,
        ownerReferences: [
          {
            apiVersion: "projectcalico.org/v3",
            kind: "Tier",
            name: "t",
            uid: "01020304-0506-4708-8900-0000000000ff",
          },
        ],
      };
      const written = toClassicMetadata(stored, { name: "p" }, false);
      assert.deepEqual(written["labels"], { "projectcalico.org/kind": "x" });
      assert.match(JSON.stringify(written), /8040c020/);
      const uid = "80000000-0000-4000-8000-000000000000";
      const read = fromClassicMetadata(
        object({ metadata: { ...written, uid, resourceVersion: "1" } }),
        false,
      );
      const { annotations: _given, ...expected } = { ...stored, uid: mirrorUid(uid) };
      const isNone = Object.keys(annotations).length === 0;
      assert.deepEqual(read, isNone ? expected : { ...expected, annotations });
    }),
  );
});

test("policies of every age are shown by the name that the user gave", () => {
  const shown = (name: string, kept: object | undefined, tier = "default"): unknown => {
    const annotations = kept === undefined ? {} : { "projectcalico.org/metadata": JSON.stringify(kept) };
    const metadata = { name, uid: "u", resourceVersion: "1", annotations };
    const read = fromClassicMetadata(object({ metadata }), true);
    const document = {
      kind: "GlobalNetworkPolicy",
      apiVersion: "projectcalico.org/v3",
      metadata: read,
      spec: { tier },
    };
    const reading = kinds.GlobalNetworkPolicy.parse(document, "store");
    return reading.kind === "ok" ? reading.value.metadata.name : reading.problems;
  };
  assert.equal(shown("default.foo", undefined), "foo");
  assert.equal(shown("default.foo", { creationTimestamp: null }), "foo");
  assert.equal(shown("default.foo", { name: "default.foo" }), "default.foo");
  assert.equal(shown("default.foo", { name: "foo" }), "foo");
  assert.equal(shown("foo", { name: "foo" }), "foo");
  assert.equal(shown("foo", undefined), "foo");
  assert.equal(shown("net.foo", undefined, "net"), "net.foo");
});

test("names of blocks and of claims on them, also where a node's name is too long", () => {
  assert.equal(blockName(prefix("10.244.120.64/26")), "10-244-120-64-26");
  assert.equal(blockName(prefix("fd00:1:2::40/122")), "fd00-1-2--40-122");
  assert.equal(affinityName("node1", prefix("10.244.120.64/26")), "node1-10-244-120-64-26");
  const long = affinityName("n".repeat(300), prefix("10.244.120.64/26"));
  assert.match(long, /^n+-10-244-120-64-26-[0-9a-f]{11}$/);
  assert.ok(long.length < 253);
  assert.notEqual(long, affinityName(`${"n".repeat(299)}m`, prefix("10.244.120.64/26")));
  const labels = affinityLabels({ kind: "host", name: "node1" }, prefix("fd00::/122"));
  assert.equal(labels["projectcalico.org/ip-version"], "6");
  assert.match(labels["projectcalico.org/hostname-hash"] ?? "", /^[A-Z2-7]{52}$/);
});

test("a node is seen with what its annotations say, and what is malformed is passed over", () => {
  const metadata = {
    name: "n1",
    uid: "u",
    resourceVersion: "1",
    labels: { rack: "a" },
    annotations: {
      "projectcalico.org/IPv4Address": "192.168.10.11/24",
      "projectcalico.org/IPv6Address": "junk",
      "projectcalico.org/ASNumber": "65001",
      "projectcalico.org/VXLANTunnelMACAddr": "66:66",
      "projectcalico.org/WireguardPublicKey": "key",
      "projectcalico.org/Interfaces": '[{"name":"eth0","addresses":["192.168.10.11"]}]',
      "projectcalico.org/labels": '{"zone":"b","rack":"mine"}',
      "example.org/other": "stays",
    },
  };
  const node = object({
    metadata,
    spec: { podCIDRs: ["10.244.0.0/24"] },
    status: {
      addresses: [
        { type: "Hostname", address: "n1" },
        { type: "InternalIP", address: "192.168.10.11" },
      ],
    },
  });
  const view = calicoNode(node);
  const reading = kinds.Node.parse({ kind: "Node", apiVersion: "projectcalico.org/v3", ...view }, "store");
  assert.equal(reading.kind, "ok");
  assert.deepEqual(view["spec"], {
    bgp: { ipv4Address: "192.168.10.11/24", asNumber: 65001 },
    orchRefs: [{ nodeName: "n1", orchestrator: "k8s" }],
    addresses: [
      { address: "192.168.10.11/24", type: "CalicoNodeIP" },
      { address: "192.168.10.11", type: "InternalIP" },
    ],
    interfaces: [{ name: "eth0", addresses: ["192.168.10.11"] }],
  });
  assert.deepEqual(view["status"], { wireguardPublicKey: "key", podCIDRs: ["10.244.0.0/24"] });
  // Written back as it was seen, nothing but the malformed is gone, and Kubernetes' label is not Calico's.
  const {
    "projectcalico.org/IPv6Address": _1,
    "projectcalico.org/VXLANTunnelMACAddr": _2,
    ...kept
  } = metadata.annotations;
  assert.deepEqual(nodeAnnotations(node, view), { ...kept, "projectcalico.org/labels": '{"zone":"b"}' });
  assert.deepEqual(nodeAnnotations(node, { metadata: {}, spec: {} }), { "example.org/other": "stays" });
});

test("a pod's addresses are the kubelet's, else the plugin's, and none when it has ended", () => {
  const pod = (annotations: object, status: object, more: object = {}) =>
    podEndpoint(
      object({
        metadata: {
          name: "web-0",
          namespace: "default",
          uid: "u",
          resourceVersion: "1",
          annotations,
          ...more,
        },
        spec: {
          nodeName: "worker-1",
          serviceAccountName: "sa",
          containers: [
            {
              ports: [
                { name: "http", containerPort: 80 },
                { containerPort: 81 },
                { containerPort: 82, hostPort: 8082 },
              ],
            },
          ],
        },
        status,
      }),
    );
  const networks = (annotations: object, status: object, more: object = {}): unknown => {
    const endpoint = pod(annotations, status, more);
    const reading = kinds.WorkloadEndpoint.parse(endpoint, "store");
    return reading.kind === "ok" ? reading.value.spec.ipNetworks : reading.problems;
  };
  const noted = {
    "cni.projectcalico.org/podIP": "10.0.0.1/32",
    "cni.projectcalico.org/podIPs": "10.0.0.1/32,fd00::1/128",
  };
  assert.deepEqual(networks({}, {}), []);
  assert.deepEqual(networks(noted, {}), ["10.0.0.1/32", "fd00::1/128"]);
  assert.deepEqual(networks(noted, { podIPs: [{ ip: "10.0.0.2" }, { ip: "fd00::2" }] }), [
    "10.0.0.2/32",
    "fd00::2/128",
  ]);
  assert.deepEqual(networks(noted, { podIP: "10.0.0.3" }), ["10.0.0.3/32"]);
  assert.deepEqual(networks(noted, { phase: "Succeeded", podIP: "10.0.0.3" }), []);
  const ended = { "cni.projectcalico.org/podIP": "", "cni.projectcalico.org/podIPs": "" };
  assert.deepEqual(networks(ended, { podIP: "10.0.0.3" }, { deletionTimestamp: "2024-01-01T00:00:00Z" }), []);
  assert.deepEqual(networks({ "cni.projectcalico.org/podIP": "10.0.0.4" }, {}), ["10.0.0.4/32"]);

  const nat = {
    ...noted,
    "cni.projectcalico.org/floatingIPs": '["192.0.2.1"]',
    "kubernetes.io/ingress-bandwidth": "10M",
  };
  const { metadata, spec } = JSON.parse(JSON.stringify(pod(nat, {})));
  assert.equal(metadata.name, "worker--1-k8s-web--0-eth0");
  assert.deepEqual(spec.ipNATs, [{ internalIP: "10.0.0.1", externalIP: "192.0.2.1" }]);
  assert.equal(spec.qosControls.ingressBandwidth, 10_000_000);
  assert.deepEqual(spec.ports, [
    { name: "http", protocol: "TCP", port: 80 },
    { protocol: "TCP", port: 82, hostPort: 8082 },
  ]);
  assert.deepEqual(spec.profiles, ["kns.default", "ksa.default.sa"]);
});

test("pods of the host's network, and those on no node yet, are no endpoints", () => {
  const metadata = { name: "p", namespace: "default", resourceVersion: "1" };
  assert.equal(podEndpoint(object({ metadata, spec: {} })), undefined);
  assert.equal(podEndpoint(object({ metadata, spec: { nodeName: "n", hostNetwork: true } })), undefined);
});
