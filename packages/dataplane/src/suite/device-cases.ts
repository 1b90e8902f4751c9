import { Af, type Change, Iff, Mac, type Neighbour, NeighbourState, Ntf } from "@caracal/netlink";
import type { DeviceOperation } from "../device-kernel.ts";
import { address, indexOf, type KernelCase, type KernelSubject, outcomeNames, same } from "./subject.ts";

/** What the port promises of interfaces, addresses and neighbours. */
export const deviceCases: readonly KernelCase[] = [
  { name: "devices: a VXLAN interface is dumped as it was made", run: makeVxlan },
  {
    name: "devices: names and network identifiers are taken once, and a failure does not stop the rest",
    run: taken,
  },
  { name: "devices: an interface is changed, renamed and deleted", run: change },
  { name: "devices: addresses come and go", run: addresses },
  { name: "devices: a neighbour is set, replaced and deleted, on its own interface", run: neighbours },
  { name: "devices: a forwarding entry is set, moved and deleted", run: forwarding },
  { name: "devices: what others do to interfaces and neighbours is told", run: notices },
];

export function mac(text: string): Mac {
  const found = Mac.parse(text);
  if (found === undefined) throw new RangeError(`no MAC: ${text}`);
  return found;
}

/** Makes `vx0`, up, with VNI 4096 over `up0`. */
async function vxlan(subject: KernelSubject, name = "vx0", vni = 4096): Promise<DeviceOperation> {
  const parentIndex = await indexOf(subject, "up0");
  const local = address("10.99.0.1");
  return {
    kind: "link.add",
    link: {
      name,
      mac: mac("66:00:00:00:00:01"),
      mtu: 1400,
      up: true,
      details: { kind: "vxlan", vni, port: 4789, learning: false, local, parentIndex },
    },
  };
}

async function made(subject: KernelSubject): Promise<number> {
  same(outcomeNames(await subject.kernel.applyDevices([await vxlan(subject)])), ["done"], "making vx0");
  return await indexOf(subject, "vx0");
}

async function makeVxlan(subject: KernelSubject): Promise<void> {
  const index = await made(subject);
  const link = (await subject.kernel.dumpLinks()).find((one) => one.index === index);
  const isUp = link !== undefined && (link.flags & Iff.IFF_UP) !== 0;
  const found = [link?.kind, link?.mtu, link?.mac, isUp, link?.vxlan];
  const parentIndex = await indexOf(subject, "up0");
  const details = { vni: 4096, port: 4789, learning: false, parentIndex, local: address("10.99.0.1") };
  same(found, ["vxlan", 1400, mac("66:00:00:00:00:01"), true, details], "vx0");
}

async function taken(subject: KernelSubject): Promise<void> {
  const outcomes = await subject.kernel.applyDevices([
    await vxlan(subject),
    await vxlan(subject, "vx0", 7),
    await vxlan(subject, "vx1", 4096),
    await vxlan(subject, "vx1", 7),
    { kind: "link.delete", index: 99_999 },
  ]);
  same(outcomeNames(outcomes), ["done", "EEXIST", "EEXIST", "done", "ENODEV"], "outcomes");
}

async function change(subject: KernelSubject): Promise<void> {
  const index = await made(subject);
  const set = (settings: { mtu?: number; up?: boolean; name?: string }): DeviceOperation => ({
    kind: "link.set",
    index,
    settings,
  });
  const outcomes = await subject.kernel.applyDevices([
    set({ mtu: 1300 }),
    set({ up: false }),
    set({ name: "vx9" }),
  ]);
  same(outcomeNames(outcomes), ["done", "done", "done"], "outcomes");
  const link = (await subject.kernel.dumpLinks()).find((one) => one.name === "vx9");
  same([link?.index, link?.mtu, (link?.flags ?? 0) & Iff.IFF_UP], [index, 1300, 0], "vx9");
  await subject.kernel.applyDevices([{ kind: "link.delete", index }]);
  same(
    (await subject.kernel.dumpLinks()).some((one) => one.index === index),
    false,
    "still there",
  );
}

async function addresses(subject: KernelSubject): Promise<void> {
  const interfaceIndex = await made(subject);
  const own = { interfaceIndex, address: address("10.244.1.0"), prefixLength: 32 };
  const { kernel } = subject;
  const held = async (): Promise<number> =>
    (await kernel.dumpAddresses()).filter((one) => one.address === own.address).length;
  const add = { kind: "address.add", address: own } as const;
  same(outcomeNames(await kernel.applyDevices([add, add])), ["done", "EEXIST"], "adding");
  same(await held(), 1, "held");
  const remove = { kind: "address.delete", address: own } as const;
  same(outcomeNames(await kernel.applyDevices([remove, remove])), ["done", "EADDRNOTAVAIL"], "deleting");
  same(await held(), 0, "held after");
}

function entry(interfaceIndex: number, over: Partial<Neighbour>): Neighbour {
  const isForwarding = over.family === Af.AF_BRIDGE;
  return {
    family: Af.AF_INET,
    interfaceIndex,
    state: NeighbourState.NUD_PERMANENT,
    flags: isForwarding ? Ntf.NTF_SELF : 0,
    ...over,
  };
}

async function neighbours(subject: KernelSubject): Promise<void> {
  const index = await made(subject);
  const elsewhere = await indexOf(subject, "up0");
  const { kernel } = subject;
  const at = (hardware: string, interfaceIndex = index): Neighbour =>
    entry(interfaceIndex, { address: address("10.244.2.0"), mac: mac(hardware) });
  const six = entry(index, {
    family: Af.AF_INET6,
    address: address("fd00::2"),
    mac: mac("66:00:00:00:00:06"),
  });
  const outcomes = await kernel.applyDevices([
    { kind: "neighbour.set", neighbour: at("66:00:00:00:00:02") },
    { kind: "neighbour.set", neighbour: at("66:00:00:00:00:03") },
    { kind: "neighbour.set", neighbour: at("66:00:00:00:00:04", elsewhere) },
    { kind: "neighbour.set", neighbour: six },
  ]);
  same(outcomeNames(outcomes), ["done", "done", "done", "done"], "outcomes");
  const shown = async (): Promise<unknown> =>
    (await kernel.dumpNeighbours("neighbours", index))
      .filter(({ state }) => (state & NeighbourState.NUD_PERMANENT) !== 0)
      .toSorted((a, b) => b.family - a.family)
      .map((one) => [one.family, one.mac]);
  const first = [Af.AF_INET, mac("66:00:00:00:00:03")];
  same(await shown(), [[Af.AF_INET6, mac("66:00:00:00:00:06")], first], "entries");
  await kernel.applyDevices([{ kind: "neighbour.delete", neighbour: six }]);
  same(await shown(), [first], "entries after");
}

async function forwarding(subject: KernelSubject): Promise<void> {
  const index = await made(subject);
  const { kernel } = subject;
  const to = (remote: string): Neighbour =>
    entry(index, { family: Af.AF_BRIDGE, mac: mac("66:00:00:00:00:02"), address: address(remote) });
  const shown = async (): Promise<unknown> =>
    (await kernel.dumpNeighbours("forwarding", index)).map((one) => one.address);
  const set = (remote: string): DeviceOperation => ({ kind: "neighbour.set", neighbour: to(remote) });
  const outcomes = await kernel.applyDevices([set("10.99.0.2"), set("10.99.0.3"), set("10.99.0.3")]);
  same(outcomeNames(outcomes), ["done", "done", "done"], "outcomes");
  same(await shown(), [address("10.99.0.3")], "moved");
  await kernel.applyDevices([{ kind: "neighbour.delete", neighbour: to("10.99.0.3") }]);
  same(await shown(), [], "gone");
}

async function notices(subject: KernelSubject): Promise<void> {
  const index = await made(subject);
  const heard: string[] = [];
  const describe = (change: Change): string => `${change.kind}${change.gone ? " gone" : ""}`;
  const unsubscribe = subject.kernel.subscribe((notice) => {
    if (notice.kind === "changes") heard.push(...notice.changes.map(describe));
  });
  const neighbour = entry(index, { address: address("10.244.2.0"), mac: mac("66:00:00:00:00:02") });
  subject.others.device({ kind: "neighbour.set", neighbour });
  subject.others.device({ kind: "neighbour.delete", neighbour });
  subject.others.device({ kind: "link.delete", index });
  const wanted = ["neighbour", "neighbour gone", "link gone"];
  await subject.until("the news", () => wanted.every((one) => heard.includes(one)));
  unsubscribe();
}
