/**
 * Aim: addresses of services are announced by the nodes that have their endpoints, as Kubernetes' documents come, change and go.
 * Method: a mesh with Services and EndpointSlices written into its store; what its nodes have learned, by `birdcl`, and the kernel.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keys } from "@caracal/datastore";
import { EtcdStore } from "@caracal/store-etcd";
import { eventually, requireRoot, requireTool, run, Testbed } from "@caracal/testbed";
import { findTopology } from "../src/index.ts";
import { labScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const metadata = { name: "web", namespace: "default" };
const service = {
  kind: "Service",
  metadata,
  spec: {
    type: "LoadBalancer",
    clusterIP: "10.96.0.7",
    externalIPs: ["192.0.2.7"],
    externalTrafficPolicy: "Local",
  },
};

/** The service's endpoints, one on each of the nodes. */
function sliceOn(...nodes: readonly string[]): string {
  const labels = { "kubernetes.io/service-name": "web" };
  const endpoints = nodes.map((nodeName) => ({ nodeName, conditions: { ready: true } }));
  return JSON.stringify({ kind: "EndpointSlice", metadata: { ...metadata, labels }, endpoints });
}

test("a service is announced where its endpoints are, and is no route of any kernel", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const file = join(Testbed.create(t).directory("topology"), "services.yaml");
  writeFileSync(
    file,
    `${findTopology("mesh-sockets").source.text}
resources:
  - apiVersion: projectcalico.org/v3
    kind: BGPConfiguration
    metadata: { name: default }
    spec:
      serviceClusterIPs: [{ cidr: 10.96.0.0/12 }]
      serviceExternalIPs: [{ cidr: 192.0.2.0/24 }]
`.replace(/\nchecks:[\s\S]*?(?=\nresources:)/, ""),
  );
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", file, "--name", name]);
  assert.equal(exitCode, 0, stderr);
  const lab = scope.directory(name);
  await using stack = new AsyncDisposableStack();
  const store = new EtcdStore({ endpoints: [`unix://${lab.storeSocket}`] });
  stack.defer(() => store.close());

  /** Neighbours that km01 has the route from. */
  const heardFrom = async (route: string): Promise<string> => {
    const birdcl = [join(REPOSITORY, "bin/birdcl"), "show", "route", "for", route];
    const { stdout } = await run(birdcl, { env: { CARACAL_RUN_DIR: lab.runDirectory("km01") } });
    const [found] = [...stdout.matchAll(/^([0-9./]+) /gm)].map(([, prefix]) => prefix);
    const neighbors = [...stdout.matchAll(/\[Mesh_192_168_80_(\d+) /g)].map(([, last]) => last);
    return `${found} ${neighbors.toSorted((one, other) => Number(one) - Number(other)).join()}`;
  };
  const hears = (route: string, wanted: string): Promise<unknown> =>
    eventually(async () => (await heardFrom(route)) === wanted, { what: `${route} as ${wanted}` });

  await hears("192.0.2.7", "192.0.2.0/24 124,125");
  await store.create(keys.resource("kubernetesservices", "web", "default"), JSON.stringify(service));
  const slice = keys.resource("kubernetesendpointslices", "web-1", "default");
  const made = await store.create(slice, sliceOn("kw01"));
  await hears("192.0.2.7", "192.0.2.7/32 124");
  await hears("10.96.0.7", "10.96.0.7/32 124");
  assert.ok(made.kind === "ok");
  await store.update(slice, sliceOn("kw01", "kw02"), made.entry.revision);
  await hears("192.0.2.7", "192.0.2.7/32 124,125");
  const { stdout: routes } = await run(["ip", "-n", `${name}-km01`, "route"]);
  assert.doesNotMatch(routes, /192\.0\.2\.|10\.96\./);
  await store.delete(slice);
  await hears("192.0.2.7", "192.0.2.0/24 124,125");
});
