/**
 * Aim: of Services and EndpointSlices as Kubernetes writes them, what routing needs is read, and nothing else is taken for one.
 * Method: documents as the API gives them, and mutilated ones.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readKubernetesEndpointSlice, readKubernetesService } from "../index.ts";

test("a service is read with its addresses of every kind", () => {
  const service = readKubernetesService({
    kind: "Service",
    apiVersion: "v1",
    metadata: { name: "web", namespace: "default", uid: "1" },
    spec: {
      type: "LoadBalancer",
      clusterIP: "10.96.0.7",
      clusterIPs: ["10.96.0.7", "fd00:96::7"],
      externalIPs: ["203.0.113.7"],
      externalTrafficPolicy: "Local",
      ports: [{ port: 80 }],
    },
    status: { loadBalancer: { ingress: [{ ip: "198.51.100.7" }, { hostname: "web.example" }] } },
  });
  assert.deepEqual(service, {
    namespace: "default",
    name: "web",
    type: "LoadBalancer",
    clusterIps: ["10.96.0.7", "fd00:96::7"],
    externalIps: ["203.0.113.7"],
    loadBalancerIps: ["198.51.100.7"],
    externalTrafficPolicy: "Local",
  });
});

test("a headless service has no address, and what is left out has Kubernetes' default", () => {
  const metadata = { name: "db", namespace: "default" };
  const bare = readKubernetesService({ metadata, spec: { clusterIP: "None" } });
  assert.deepEqual([bare?.clusterIps, bare?.type, bare?.externalTrafficPolicy], [[], "ClusterIP", "Cluster"]);
  for (const document of [undefined, null, "", [], {}, { metadata }, { metadata: {}, spec: {} }])
    assert.equal(readKubernetesService(document), undefined);
});

test("an endpoint slice tells on which nodes its service has a ready endpoint", () => {
  const metadata = {
    name: "web-x",
    namespace: "default",
    labels: { "kubernetes.io/service-name": "web" },
  };
  const endpoints = [
    { nodeName: "b", conditions: { ready: true } },
    { nodeName: "b", conditions: {} },
    { nodeName: "a" },
    { nodeName: "c", conditions: { ready: false, serving: true } },
    { addresses: ["10.0.0.1"] },
  ];
  assert.deepEqual(readKubernetesEndpointSlice({ metadata, endpoints }), {
    namespace: "default",
    name: "web-x",
    service: "web",
    readyNodes: ["", "a", "b"],
  });
  assert.deepEqual(readKubernetesEndpointSlice({ metadata })?.readyNodes, []);
  for (const document of [undefined, {}, { metadata: { ...metadata, labels: {} } }])
    assert.equal(readKubernetesEndpointSlice(document), undefined);
});
