/**
 * One node's allocator, to be killed: `allocator-process.ts ENDPOINT NODE JOURNAL SEED transactions|single`. It assigns and
 * releases for ever; the journal has "works" after the first turn, "assigned HANDLE ADDRESS" once it was told so, and
 * "releasing HANDLE" before it asks.
 */
import { appendFileSync } from "node:fs";
import { Ipam, type IpamSettings, Nanos, Reservations } from "@caracal/ipam";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { EtcdStore } from "@caracal/store-etcd";
import { singleWrites } from "./single-writes.ts";

/** Small enough that nodes take each other's blocks and borrow. */
const cidr = Prefix.of(Ipv4.of(0x0a000000), 26);
const settings: IpamSettings = {
  pools: [
    {
      name: "pool",
      cidr,
      blockSize: 29,
      isEnabled: true,
      isAutomatic: true,
      uses: ["Workload"],
      nodeSelector: "all()",
      namespaceSelector: "",
    },
  ],
  reservations: new Reservations([]),
  config: { strict_affinity: false, auto_allocate_blocks: true, maxBlocksPerHost: 0, ipCooldownSeconds: 0 },
  nodeLabels: {},
};
/** Handles held before some go. */
const heldMost = 10;

const [endpoint = "", node = "", journal = "", seed = "", writing = ""] = process.argv.slice(2);
const etcd = new EtcdStore({ endpoints: [endpoint] });
const store = writing === "single" ? singleWrites(etcd) : etcd;
const now = (): Nanos => Nanos.of(BigInt(Date.now()) * 1_000_000n);
const ipam = new Ipam({ store, node, now, settings: () => Promise.resolve(settings) });
const note = (line: string): void => appendFileSync(journal, `${line}\n`);

const held: string[] = [];
async function turn(id: string): Promise<void> {
  const handle = `${node}-${seed}-${id}`;
  const result = await ipam.assign({ family: 4, handle, attributes: { node } });
  if (result.kind === "assigned") {
    for (const address of result.addresses) note(`assigned ${handle} ${IpAddress.format(address)}`);
    held.push(handle);
  }
  if (result.kind === "assigned" && held.length < heldMost) return;
  const going = held.shift();
  if (going === undefined) return;
  note(`releasing ${going}`);
  await ipam.releaseHandle(going);
}

for (let count = 0; ; count += 1) {
  await Promise.all([turn(`${count}a`), turn(`${count}b`), turn(`${count}c`)]);
  // Also where all addresses are others', and there is nothing else to note.
  if (count === 0) note("works");
  // A node that goes: its blocks are given up while others want them.
  if (count % 7 === 6) await ipam.releaseNode(node, { onlyEmpty: count % 2 === 0 });
}
