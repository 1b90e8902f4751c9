import { keys, MemoryStore } from "@caracal/datastore";

/** A store that holds these resources, given as `plural/name` or `plural/namespace/name` and their parts. */
export async function storeOf(
  objects: Readonly<
    Record<string, { readonly kind: string; readonly spec: unknown; readonly labels?: unknown }>
  >,
): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const [path, { kind, spec, labels }] of Object.entries(objects)) {
    const [plural = "", ...rest] = path.split("/");
    const [name = "", namespace] = rest.toReversed();
    const metadata = {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: "4f1c7a52-0000-4000-8000-000000000001",
      creationTimestamp: "2023-05-10T08:41:00Z",
      ...(labels === undefined ? {} : { labels }),
    };
    const value = JSON.stringify({ kind, apiVersion: "projectcalico.org/v3", metadata, spec });
    await store.create(keys.resource(plural, name, namespace), value);
  }
  return store;
}

/** The pool of the seeds' cluster without encapsulation. */
export const pool = {
  kind: "IPPool",
  spec: { cidr: "10.244.0.0/16", ipipMode: "Never", vxlanMode: "Never", natOutgoing: true, blockSize: 26 },
};

/** The seeds' three nodes. */
export const nodes = {
  "nodes/master.whale.com": { kind: "Node", spec: { bgp: { ipv4Address: "192.168.0.80/24" } } },
  "nodes/node1.whale.com": { kind: "Node", spec: { bgp: { ipv4Address: "192.168.0.81/24" } } },
  "nodes/node2.whale.com": {
    kind: "Node",
    spec: { bgp: { ipv4Address: "192.168.0.82/24", asNumber: 65001 } },
  },
};

/** YAML of a pool. */
export function poolYaml(name: string, cidr: string, more = ""): string {
  return `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata:\n  name: ${name}\nspec:\n  cidr: ${cidr}\n${more}`;
}
