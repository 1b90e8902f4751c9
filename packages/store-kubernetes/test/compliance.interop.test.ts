/**
 * Aim: the Kubernetes store keeps the port's promises on a real API server, for entries of any form and for Calico's kinds.
 * Method: an etcd and a kube-apiserver on loopback, the compliance suite of the port through them, once per form. One more
 * server without its watch cache shares the etcd: it forgets what etcd was told to forget.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Store } from "@caracal/datastore";
import { type EntryForm, storeSuite } from "@caracal/datastore/suite";
import { isRecord } from "@caracal/resources";
import {
  type KubeApiserver,
  requireKubeApiserver,
  requireTool,
  startEtcd,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";
import { type ApiGroup, crdDocuments, KubernetesStore, ownCrdDocument } from "../src/index.ts";
import { adminOf } from "./admin-server.ts";

const skip = requireKubeApiserver() || requireTool("etcd", "etcdctl", "openssl");

/** What the suite is run on: a root, and how its texts are values there. */
const subjects: readonly {
  readonly what: string;
  readonly root: (index: number) => string;
  readonly form?: EntryForm;
}[] = [
  { what: "entries of any form", root: (index) => `/caracal/suite/${index}/` },
  {
    what: "a cluster-wide resource",
    root: (index) => `/calico/resources/v3/projectcalico.org/globalnetworksets/s${index}-`,
    form: resourceForm("GlobalNetworkSet"),
  },
  {
    what: "a namespaced policy",
    root: (index) => `/calico/resources/v3/projectcalico.org/networkpolicies/default/s${index}-`,
    form: resourceForm("NetworkPolicy"),
  },
  {
    what: "handles, which are deleted in two steps",
    root: (index) => `/calico/ipam/v2/handle/s${index}-`,
    form: handleForm(),
  },
];

/** What is not Calico's is the same with both groups. */
const groups = [
  { group: "crd.projectcalico.org", of: subjects },
  { group: "projectcalico.org", of: subjects.filter(({ form }) => form !== undefined) },
] as const satisfies readonly { readonly group: ApiGroup; readonly of: typeof subjects }[];

describe("the Kubernetes store", { skip }, () => {
  const bed = Testbed.create();
  const stores: Store[] = [];
  let cached: KubeApiserver | undefined;
  let uncached: KubeApiserver | undefined;

  function open(server: KubeApiserver | undefined, apiGroup: ApiGroup): Store {
    assert.ok(server !== undefined);
    const store = new KubernetesStore({ server: adminOf(server), apiGroup });
    stores.push(store);
    return store;
  }

  before(async () => {
    const etcd = await startEtcd(bed);
    const all = groups.flatMap(({ group }) => crdDocuments(group)).filter((one) => one !== ownCrdDocument);
    // Every fiftieth answer asks the client to connect anew.
    const args = ["--goaway-chance=0.02"];
    cached = await startKubeApiserver(bed, { etcd, definitions: [...all, ownCrdDocument], args });
    uncached = await startKubeApiserver(bed, { etcd, args: ["--watch-cache=false"] });
  });

  after(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await bed.close();
  });

  for (const { group, of } of groups) {
    for (const { what, root, form } of of) {
      describe(`${what} of ${group}`, () => {
        for (const [index, { name, run, needsAnyForm }] of storeSuite.entries()) {
          if (needsAnyForm === true && form !== undefined) continue;
          test(name, async () => {
            // What etcd forgets, a server with a watch cache still remembers.
            const server = name.includes("compaction") ? uncached : cached;
            await run({
              store: open(server, group),
              root: root(index),
              open: async () => open(server, group),
              compact: async (revision) => {
                await server?.etcd.etcdctl("compaction", revision);
              },
              ...(form === undefined ? {} : { form }),
            });
          });
        }
      });
    }
  }
});

/** A resource that carries text in an annotation. */
function resourceForm(kind: string): EntryForm {
  return {
    value: (text) =>
      JSON.stringify({
        kind,
        apiVersion: "projectcalico.org/v3",
        metadata: { annotations: { text } },
        spec: {},
      }),
    text: (value) => String(member(member(member(JSON.parse(value), "metadata"), "annotations"), "text")),
  };
}

/** A handle that carries text in the name of a block. */
function handleForm(): EntryForm {
  return {
    value: (text) => JSON.stringify({ block: { [text]: 1 }, deleted: false }),
    text: (value) => Object.keys(Object(member(JSON.parse(value), "block")))[0] ?? "",
  };
}

function member(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}
