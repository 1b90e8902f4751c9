/** Aim: words mean the end that a person means, or nothing is guessed. Method: a small cluster with names in common. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress } from "@caracal/net";
import { apiVersion, type WorkloadEndpoint } from "@caracal/resources";
import { anyCluster } from "../../test/any-cluster.ts";
import { commonFamily, endNames, findEnd, recordedPlaces } from "./find-end.ts";

const plain = anyCluster({
  nodes: {
    "worker1.k8s.com": { address: "10.0.0.21", pods: { web: "10.244.1.5", db: "10.244.1.6" } },
    "worker2.k8s.com": { address: "10.0.0.22", pods: { both: "10.244.2.5", shop: "10.244.2.6" } },
    both: { address: "10.0.0.23" },
    "cluster-edge": { address: "10.0.0.24" },
  },
});
const other: WorkloadEndpoint = {
  kind: "WorkloadEndpoint",
  apiVersion,
  metadata: { name: "other", namespace: "prod" },
  spec: {
    node: "worker2.k8s.com",
    pod: "web",
    interfaceName: "cali9",
    ipNetworks: ["10.244.2.9/32", "fd00::9/128"],
    ipNATs: [{ internalIP: "10.244.2.9", externalIP: "192.0.2.9" }],
  },
};
const cluster = { ...plain, endpoints: [...plain.endpoints, other] };
const places = recordedPlaces(cluster, [{ name: "leaf01", addresses: ["10.0.0.254"] }]);

function meant(words: string): string {
  const lookup = findEnd(cluster, places, words);
  if (lookup.kind === "ambiguous") return lookup.candidates.join(" or ");
  if (lookup.kind === "unknown") return "unknown";
  const { text, place, addresses } = lookup.end;
  return `${text} = ${place?.kind ?? "outside"} ${place?.name ?? ""} ${addresses.map(IpAddress.format).join(" ")}`;
}

test("pods, nodes, switches and addresses", () => {
  assert.equal(meant("db"), "default/db = pod default/db 10.244.1.6");
  assert.equal(meant("prod/web"), "prod/web = pod prod/web 10.244.2.9 fd00::9");
  assert.equal(meant("worker1"), "worker1.k8s.com = node worker1.k8s.com 10.0.0.21");
  assert.equal(meant("edge"), "cluster-edge = node cluster-edge 10.0.0.24");
  assert.equal(meant("leaf01"), "leaf01 = switch leaf01 10.0.0.254");
  assert.equal(meant("10.0.0.22"), "10.0.0.22 = node worker2.k8s.com 10.0.0.22");
  assert.equal(meant("10.244.1.5"), "10.244.1.5 = pod default/web 10.244.1.5");
  assert.equal(meant("192.0.2.9"), "192.0.2.9 = pod prod/web 192.0.2.9", "a floating address");
  assert.equal(meant("8.8.8.8"), "8.8.8.8 = outside  8.8.8.8");
  assert.equal(meant("nothing"), "unknown");
});

test("names that several have are refused, and can be written out", () => {
  assert.equal(meant("web"), "default/web or prod/web");
  assert.equal(meant("both"), "node/both or default/both");
  assert.equal(meant("node/both"), "both = node both 10.0.0.23");
  assert.equal(meant("default/both"), "default/both = pod default/both 10.244.2.5");
  for (const name of endNames(places)) assert.match(meant(name), / = /, name);
});

test("one family for both ends", () => {
  const end = (words: string) => {
    const lookup = findEnd(cluster, places, words);
    assert.equal(lookup.kind, "found");
    return lookup.end;
  };
  assert.equal(commonFamily(end("prod/web"), end("db"), true), 4);
  assert.equal(commonFamily(end("prod/web"), end("fd01::1"), false), 6);
  assert.equal(commonFamily(end("db"), end("fd01::1"), false), undefined);
});
