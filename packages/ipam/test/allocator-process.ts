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

const held: { readonly handle: string; readonly address: IpAddress }[] = [];
async function turn(count: number, id: string): Promise<void> {
  const handle = `${node}-${seed}-${count}${id}`;
  const address = await assign(handle, count);
  if (address !== undefined) {
    note(`assigned ${handle} ${IpAddress.format(address)}`);
    held.push({ handle, address });
  }
  if (address !== undefined && held.length < heldMost) return;
  const going = held.shift();
  if (going === undefined) return;
  note(`releasing ${going.handle}`);
  // By turns, as a DEL does and as an audit does.
  if (count % 2 === 0) await ipam.releaseHandle(going.handle);
  else await ipam.release(going);
}

/** Any address, or now and then a certain one that may be another's. */
async function assign(handle: string, count: number): Promise<IpAddress | undefined> {
  if (count % 5 !== 4) {
    const result = await ipam.assign({ family: 4, handle, attributes: { node } });
    return result.kind === "assigned" ? result.addresses[0] : undefined;
  }
  const address = Prefix.at(cidr, BigInt(count) % Prefix.size(cidr));
  if (address === undefined) return undefined;
  const result = await ipam.assignAddress({ address, handle, attributes: { node } });
  return result.kind === "assigned" ? address : undefined;
}

for (let count = 0; ; count += 1) {
  await Promise.all([turn(count, "a"), turn(count, "b"), turn(count, "c")]);
  // Also where all addresses are others', and there is nothing else to note.
  if (count === 0) note("works");
  // A node that goes: its blocks are given up while others want them.
  if (count % 7 === 6) await ipam.releaseNode(node, { onlyEmpty: count % 2 === 0 });
  // And one that takes a block before it needs it, and a pool whose blocks are given up, whoever has them.
  if (count % 11 === 10) await ipam.ensureBlock({ family: 4, use: "Workload" });
  if (count % 29 === 28) await ipam.releaseRange(Prefix.of(cidr.address, 28));
}
