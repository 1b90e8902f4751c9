/**
 * Aim: IPAM over the Kubernetes store gives no address twice and leaves records that agree, whoever races. Method: nodes with a
 * store each on a real API server, a pool too small for all their blocks, assignments and releases all at once; then the ledger
 * of what was given is held against the records.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Entry, keys, type Store } from "@caracal/datastore";
import { addressState, checkConsistency, Ipam, Nanos, readSnapshot } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import {
  Dice,
  fuzzSeed,
  type KubeApiserver,
  requireKubeApiserver,
  requireTool,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";
import { type ApiGroup, crdDocuments, KubernetesStore } from "../src/index.ts";
import { adminOf } from "./admin-server.ts";

const skip = requireKubeApiserver() || requireTool("etcd", "openssl");
const nodes = ["node-a", "node-b", "node-c"];
const pods = 12;

for (const group of ["crd.projectcalico.org", "projectcalico.org"] as const satisfies readonly ApiGroup[]) {
  describe(`IPAM on ${group}`, { skip }, () => {
    const bed = Testbed.create();
    const stores: KubernetesStore[] = [];
    let server: KubeApiserver | undefined;

    before(async () => {
      server = await startKubeApiserver(bed, { definitions: crdDocuments(group) });
    });

    after(async () => {
      await Promise.all(stores.map((store) => store.close()));
      await bed.close();
    });

    function open(): KubernetesStore {
      assert.ok(server !== undefined);
      const store = new KubernetesStore({ server: adminOf(server) });
      stores.push(store);
      return store;
    }

    test("nodes that race for blocks and addresses share the pool, and give all of it back", async (t) => {
      const seed = fuzzSeed();
      t.diagnostic(`SEED=${seed}`);
      const dice = new Dice(seed);
      const first = open();
      // Four blocks of eight addresses for three nodes: they borrow from each other.
      const pool = JSON.stringify({
        kind: "IPPool",
        apiVersion: "projectcalico.org/v3",
        metadata: { name: "small" },
        spec: { cidr: "10.77.0.0/27", blockSize: 29, nodeSelector: "all()", allowedUses: ["Workload"] },
      });
      assert.equal((await first.create(keys.resource("ippools", "small"), pool)).kind, "ok");
      const now = (): Nanos => Nanos.of(BigInt(Date.now()) * 1_000_000n);
      const ipams = nodes.map((node) => new Ipam({ store: open(), node, now }));
      const given = new Map<string, string>();
      const live = async (ipam: Ipam, node: string): Promise<void> => {
        for (let index = 0; index < pods; index += 1) {
          const handle = `net.${node}-${index}`;
          const result = await ipam.assign({ family: 4, handle, attributes: { node, pod: `p${index}` } });
          for (const address of result.kind === "refused" ? [] : result.addresses) {
            const text = IpAddress.format(address);
            assert.equal(given.get(text), undefined, `${text} was given to ${handle} too`);
            given.set(text, handle);
          }
          if (dice.below(3) !== 0) continue;
          for (const [text, holder] of given) if (holder === handle) given.delete(text);
          await ipam.releaseHandle(handle);
        }
      };
      await Promise.all(ipams.map((ipam, index) => live(ipam, nodes[index] ?? "")));

      assert.ok(given.size > pods, `only ${given.size} addresses were given`);
      const snapshot = readSnapshot((await first.list("/calico/ipam/")).entries);
      assert.deepEqual(
        checkConsistency(snapshot).filter(({ severity }) => severity === "unsafe"),
        [],
      );
      for (const [text, handle] of given) {
        const address = IpAddress.parse(text);
        assert.ok(address !== undefined);
        const block = snapshot.blocks.find(({ cidr }) => Prefix.contains(cidr, address));
        const state = addressState(block?.record, address);
        assert.equal(state.kind === "allocated" ? state.handle : state.kind, handle, text);
      }
      const [ipam] = ipams;
      assert.ok(ipam !== undefined);
      await Promise.all(ipams.flatMap((one) => snapshot.handles.map(({ id }) => one.releaseHandle(id))));
      for (const node of nodes) await ipam.releaseNode(node);
      const left = (await first.list("/calico/ipam/")).entries.map(({ key }) => key);
      assert.deepEqual(left, []);
    });

    test("a release that saw a handle before an assignment had to try again cannot delete it", async () => {
      const [first, second] = [open(), open()];
      const now = (): Nanos => Nanos.of(BigInt(Date.now()) * 1_000_000n);
      const other = new Ipam({ store: second, node: "node-a", now });
      await other.assign({ family: 4, handle: "net.before", attributes: {} });
      const handleKey = keys.handle("net.racing");
      let seen: Entry | undefined;
      // Right before the block is written, a release reads the handle and another pod changes the block.
      const disturbed: Store = {
        get: (key) => first.get(key),
        list: (prefix) => first.list(prefix),
        create: (key, value) => first.create(key, value),
        update: async (key, value, revision) => {
          if (seen === undefined && keys.parse(key)?.kind === "block") {
            seen = await first.get(handleKey);
            await other.assign({ family: 4, handle: "net.between", attributes: {} });
          }
          return first.update(key, value, revision);
        },
        delete: (key, revision) => first.delete(key, revision),
        watch: (prefix, after, signal) => first.watch(prefix, after, signal),
        close: () => first.close(),
      };
      const racing = new Ipam({ store: disturbed, node: "node-a", now });
      const result = await racing.assign({ family: 4, handle: "net.racing", attributes: {} });
      assert.equal(result.kind, "assigned");
      assert.ok(seen !== undefined);
      // The same value would have left the version as it was.
      assert.equal((await first.get(handleKey))?.value, seen.value);
      assert.equal((await first.delete(handleKey, seen.revision)).kind, "conflict");
      for (const handle of ["before", "between", "racing"]) await other.releaseHandle(`net.${handle}`);
      await other.releaseNode();
      assert.deepEqual((await first.list("/calico/ipam/")).entries, []);
    });
  });
}
