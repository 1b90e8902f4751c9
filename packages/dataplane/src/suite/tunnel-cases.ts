import { IpAddress } from "@caracal/net";
import { Af, Iff, type Link, Mac, NeighbourState, Ntf } from "@caracal/netlink";
import type { DeviceKernel, DeviceOutcome } from "../device-kernel.ts";
import type { DesiredTunnel, DesiredVxlan } from "../tunnels/desired-tunnel.ts";
import { mac } from "./device-cases.ts";
import { address, indexOf, type KernelCase, type KernelSubject, same } from "./subject.ts";
import { runTunnels, type TunnelRun } from "./tunnel-run.ts";

/** What the tunnel reconciler promises on any kernel. */
export const tunnelCases: readonly KernelCase[] = [
  { name: "tunnels: a device comes with its address and remote ends, and then stays as it is", run: make },
  { name: "tunnels: a foreign device of the name is made anew, and one line says why", run: takeOver },
  { name: "tunnels: whatever others do to the device is mended", run: mend },
  { name: "tunnels: whatever others do to neighbours and forwarding is mended", run: mendEnds },
  { name: "tunnels: VNI, port, MAC, MTU and address change live", run: changeLive },
  { name: "tunnels: a node that is gone leaves nothing, and one that moved is found", run: changeEnds },
  { name: "tunnels: it waits for the node's address, and for a taken VNI", run: wait },
  { name: "tunnels: what nobody wants goes, and other devices stay", run: retire },
  { name: "tunnels: whichever step fails once, it converges", run: everyStepFailsOnce },
];

const end1 = { address: address("10.244.1.0"), mac: mac("66:00:00:00:01:00"), host: address("10.99.0.2") };
const end2 = { address: address("10.244.2.0"), mac: mac("66:00:00:00:02:00"), host: address("10.99.0.3") };

const wanted: DesiredVxlan = {
  kind: "vxlan",
  name: "vxlan.calico",
  vni: 4096,
  port: 4789,
  local: address("10.99.0.1"),
  mac: mac("66:00:00:00:09:00"),
  mtu: 1400,
  address: address("10.244.9.0"),
  vteps: [end1, end2],
};

const asWanted = [
  "vxlan.calico up 1400 66:00:00:00:09:00 vni 4096 port 4789 from 10.99.0.1",
  "address 10.244.9.0/32",
  "neighbour 10.244.1.0 66:00:00:00:01:00",
  "neighbour 10.244.2.0 66:00:00:00:02:00",
  "forward 66:00:00:00:01:00 10.99.0.2",
  "forward 66:00:00:00:02:00 10.99.0.3",
];

function withTunnels(
  subject: KernelSubject,
  tunnels: readonly DesiredTunnel[],
  use: (run: TunnelRun) => Promise<void>,
  kernel?: DeviceKernel,
): Promise<void> {
  return runTunnels(subject, { name: wanted.name, tunnels, shownDevice, kernel }, use);
}

/** What the kernel has of the device, as short text. */
async function shownDevice(subject: KernelSubject): Promise<readonly string[]> {
  const { kernel } = subject;
  const link = (await kernel.dumpLinks()).find(({ name }) => name === "vxlan.calico");
  if (link === undefined) return [];
  const { index } = link;
  const addresses = (await kernel.dumpAddresses()).filter(
    (one) => one.interfaceIndex === index && IpAddress.isIpv4(one.address),
  );
  const neighbours = (await kernel.dumpNeighbours("neighbours", index)).filter(
    ({ state, mac: hardware }) => (state & NeighbourState.NUD_NOARP) === 0 && hardware !== undefined,
  );
  const forwarding = await kernel.dumpNeighbours("forwarding", index);
  const text = (ip: IpAddress | undefined): string => (ip === undefined ? "?" : IpAddress.format(ip));
  const hardware = (one: Mac | undefined): string => (one === undefined ? "?" : Mac.format(one));
  const line = (a: string, b: string): number => (a < b ? -1 : 1);
  return [
    describe(link),
    ...addresses.map((one) => `address ${text(one.address)}/${one.prefixLength}`).toSorted(line),
    ...neighbours.map((one) => `neighbour ${text(one.address)} ${hardware(one.mac)}`).toSorted(line),
    ...forwarding.map((one) => `forward ${hardware(one.mac)} ${text(one.address)}`).toSorted(line),
  ];
}

function describe({ name, flags, mtu, mac: hardware, vxlan }: Link): string {
  const state = (flags & Iff.IFF_UP) === 0 ? "down" : "up";
  const own = hardware === undefined ? "?" : Mac.format(hardware);
  if (vxlan === undefined) return `${name} ${state} ${mtu} ${own}`;
  const local = vxlan.local === undefined ? "any" : IpAddress.format(vxlan.local);
  const learning = vxlan.learning ? " learning" : "";
  return `${name} ${state} ${mtu} ${own} vni ${vxlan.vni} port ${vxlan.port} from ${local}${learning}`;
}

function make(subject: KernelSubject): Promise<void> {
  return withTunnels(subject, [wanted], async ({ reconciler, events, until }) => {
    await until(asWanted);
    same(reconciler.status, { settled: true, ready: true, problems: [] }, "status");
    same(
      events.map(({ news }) => news),
      ["made", "it gets the address 10.244.9.0"],
      "news",
    );
    reconciler.apply([{ ...wanted }]);
    reconciler.resync();
    await subject.until("a second look", () => reconciler.status.settled);
    await until(asWanted);
    same(events.length, 2, "news of nothing");
  });
}

async function takeOver(subject: KernelSubject): Promise<void> {
  const parentIndex = await indexOf(subject, "up0");
  subject.others.device({
    kind: "link.add",
    link: {
      name: "vxlan.calico",
      mac: mac("02:00:00:00:00:01"),
      details: {
        kind: "vxlan",
        vni: 7,
        port: 8472,
        learning: true,
        parentIndex,
        local: address("10.99.0.1"),
      },
    },
  });
  await withTunnels(subject, [wanted], async ({ events, until }) => {
    await until(asWanted);
    const reasons =
      "VNI 7 instead of 4096, port 8472 instead of 4789, MAC 02:00:00:00:00:01 instead of 66:00:00:00:09:00, it learns";
    same(events[0]?.news, `made anew: ${reasons}`, "news");
  });
}

function mend(subject: KernelSubject): Promise<void> {
  const { others } = subject;
  return withTunnels(subject, [wanted], async ({ events, until }) => {
    await until(asWanted);
    const deeds: readonly ((index: number) => void)[] = [
      (index) => others.device({ kind: "link.set", index, settings: { up: false } }),
      (index) => others.device({ kind: "link.set", index, settings: { mtu: 1300 } }),
      (index) => {
        others.device({ kind: "link.set", index, settings: { up: false } });
        others.device({ kind: "link.set", index, settings: { name: "elsewhere" } });
      },
      (index) => {
        others.device({ kind: "link.set", index, settings: { up: false } });
        others.device({ kind: "link.set", index, settings: { name: "elsewhere" } });
        others.addLink("vxlan.calico");
      },
      (index) => others.device({ kind: "address.delete", address: own(index, "10.244.9.0", 32) }),
      (index) => others.device({ kind: "address.add", address: own(index, "10.9.9.9", 24) }),
      (index) => others.device({ kind: "link.set", index, settings: { mac: mac("02:00:00:00:00:02") } }),
      (index) => others.device({ kind: "link.delete", index }),
    ];
    for (const deed of deeds) {
      const told = events.length;
      deed(await indexOf(subject, "vxlan.calico"));
      await until(asWanted);
      same(
        events.slice(told).every(({ isRepair }) => isRepair),
        true,
        "a repair",
      );
      same(events.length > told, true, "told");
    }
  });
}

function own(interfaceIndex: number, text: string, prefixLength: number) {
  return { interfaceIndex, address: address(text), prefixLength };
}

function mendEnds(subject: KernelSubject): Promise<void> {
  const { others } = subject;
  return withTunnels(subject, [wanted], async ({ events, until }) => {
    await until(asWanted);
    const interfaceIndex = await indexOf(subject, "vxlan.calico");
    const state = NeighbourState.NUD_PERMANENT;
    const neighbour = { family: Af.AF_INET, interfaceIndex, state, flags: 0 };
    const entry = { family: Af.AF_BRIDGE, interfaceIndex, state, flags: Ntf.NTF_SELF };
    const forged = mac("02:00:00:00:00:03");
    const changes = [
      { kind: "neighbour.delete", neighbour: { ...neighbour, address: end1.address } },
      { kind: "neighbour.set", neighbour: { ...neighbour, address: end1.address, mac: forged } },
      { kind: "neighbour.set", neighbour: { ...neighbour, address: address("10.244.7.0"), mac: forged } },
      { kind: "neighbour.delete", neighbour: { ...entry, mac: end1.mac, address: end1.host } },
      { kind: "neighbour.set", neighbour: { ...entry, mac: end1.mac, address: address("10.99.0.66") } },
      { kind: "neighbour.set", neighbour: { ...entry, mac: forged, address: address("10.99.0.66") } },
    ] as const;
    const told = events.length;
    for (const change of changes) {
      others.device(change);
      await until(asWanted);
    }
    const neighbourBack = "neighbour 10.244.1.0 at 66:00:00:00:01:00 put back";
    const entryBack = "forwarding entry 66:00:00:00:01:00 to 10.99.0.2 put back";
    same(
      events.slice(told).map(({ news, isRepair }) => (isRepair ? news : "no repair")),
      [
        neighbourBack,
        neighbourBack,
        "neighbour 10.244.7.0 at 02:00:00:00:00:03 removed",
        entryBack,
        entryBack,
        "forwarding entry 02:00:00:00:00:03 to 10.99.0.66 removed",
      ],
      "news",
    );
  });
}

function changeLive(subject: KernelSubject): Promise<void> {
  return withTunnels(subject, [wanted], async ({ reconciler, events, until }) => {
    await until(asWanted);
    const other = { ...wanted, vni: 7, port: 8472, mac: mac("66:00:00:00:09:01") };
    reconciler.apply([other]);
    const line = "vxlan.calico up 1400 66:00:00:00:09:01 vni 7 port 8472 from 10.99.0.1";
    await until([line, ...asWanted.slice(1)]);
    same(
      events.every(({ isRepair }) => !isRepair),
      true,
      "no repair",
    );
    reconciler.apply([{ ...other, mtu: 1350, address: address("10.244.9.5") }]);
    await until([line.replace("1400", "1350"), "address 10.244.9.5/32", ...asWanted.slice(2)]);
  });
}

function changeEnds(subject: KernelSubject): Promise<void> {
  return withTunnels(subject, [wanted], async ({ reconciler, events, until }) => {
    await until(asWanted);
    const told = events.length;
    reconciler.apply([{ ...wanted, vteps: [end2] }]);
    await until([0, 1, 3, 5].map((at) => asWanted[at] ?? ""));
    const moved = { ...end2, host: address("10.99.0.77"), mac: mac("66:00:00:00:02:02") };
    reconciler.apply([{ ...wanted, vteps: [moved] }]);
    await until([
      ...asWanted.slice(0, 2),
      "neighbour 10.244.2.0 66:00:00:00:02:02",
      "forward 66:00:00:00:02:02 10.99.0.77",
    ]);
    reconciler.apply([wanted]);
    await until(asWanted);
    same(events.length, told, "news of what was asked for");
  });
}

async function wait(subject: KernelSubject): Promise<void> {
  const parentIndex = await indexOf(subject, "up0");
  const details = { kind: "vxlan", vni: 4096, port: 4789, learning: false, parentIndex } as const;
  subject.others.device({
    kind: "link.add",
    link: { name: "other0", details: { ...details, local: address("10.99.0.1") } },
  });
  const elsewhere = { ...wanted, local: address("10.98.0.1") };
  await withTunnels(subject, [elsewhere], async ({ reconciler, until }) => {
    const isTold = (text: string) => (): boolean => reconciler.status.problems[0]?.problem === text;
    await subject.until("the address to be missed", isTold("no interface has the address 10.98.0.1"));
    subject.others.addLink("late0");
    subject.others.setLinkUp("late0", true);
    subject.others.addAddress("late0", address("10.98.0.1"), 24);
    const taken = "VNI 4096 on UDP port 4789 is taken by other0: remove it, or choose another vxlanVNI";
    await subject.until("the VNI to be found taken", isTold(taken));
    subject.others.device({ kind: "link.delete", index: await indexOf(subject, "other0") });
    await until([asWanted[0]?.replace("10.99.0.1", "10.98.0.1") ?? "", ...asWanted.slice(1)]);
  });
}

function retire(subject: KernelSubject): Promise<void> {
  return withTunnels(subject, [wanted], async ({ reconciler, until }) => {
    await until(asWanted);
    subject.others.addLink("bystander");
    reconciler.apply([]);
    await until([]);
    await indexOf(subject, "bystander");
    same(reconciler.status.ready, true, "ready");
  });
}

async function everyStepFailsOnce(subject: KernelSubject): Promise<void> {
  let isOver = false;
  for (let failing = 0; !isOver; failing += 1) {
    const kernel = failingAt(subject.kernel, failing);
    await withTunnels(
      subject,
      [wanted],
      async ({ reconciler, until }) => {
        await until(asWanted);
        reconciler.apply([]);
        await until([]);
      },
      kernel,
    );
    isOver = !kernel.hasFailed();
    same(failing < 100, true, "an end");
  }
}

/** A kernel whose step of this number fails: a dump or a batch is torn, an operation is refused. */
function failingAt(kernel: DeviceKernel, failing: number): DeviceKernel & { hasFailed(): boolean } {
  let step = 0;
  const fails = (): boolean => {
    step += 1;
    return step - 1 === failing;
  };
  const torn = <Result>(run: () => Promise<Result>): Promise<Result> =>
    fails() ? Promise.reject(new Error("injected: torn")) : run();
  const refused: DeviceOutcome = { kind: "failed", errno: "ENOMEM", detail: "injected" };
  return {
    hasFailed: () => step > failing,
    subscribe: (listener) => kernel.subscribe(listener),
    dumpLinks: () => torn(() => kernel.dumpLinks()),
    dumpAddresses: () => torn(() => kernel.dumpAddresses()),
    dumpNeighbours: (table, index) => torn(() => kernel.dumpNeighbours(table, index)),
    applyDevices: async (operations) => {
      const outcomes: DeviceOutcome[] = [];
      for (const operation of operations)
        outcomes.push(fails() ? refused : ((await kernel.applyDevices([operation]))[0] ?? refused));
      // The worst place: the work is done, and the answer is lost.
      if (fails()) throw new Error("injected: the answers were lost");
      return outcomes;
    },
  };
}
