import { IpAddress } from "@caracal/net";
import { Iff } from "@caracal/netlink";
import type { DeviceKernel } from "../device-kernel.ts";
import type { DesiredIpip } from "../tunnels/desired-tunnel.ts";
import { address, indexOf, type KernelCase, type KernelSubject, same } from "./subject.ts";
import { runTunnels, type TunnelRun } from "./tunnel-run.ts";

/**
 * What the tunnel reconciler promises of IP-in-IP, on any kernel that has it. A suite of its own, for many kernels have not. On a
 * real one, a namespace has its `tunl0` from the first, and it cannot be removed.
 */
export const ipipSuite: readonly KernelCase[] = [
  { name: "ipip: the device is up, with its one address, and then stays as it is", run: make },
  { name: "ipip: whatever others do to the device is mended", run: mend },
  { name: "ipip: foreign devices of the name give way, and one line says why", run: takeOver },
  { name: "ipip: when nobody wants it, its addresses go", run: retire },
  { name: "ipip: a kernel without it is told in one line, and found out when it has it", run: moduleMissing },
];

const wanted: DesiredIpip = { kind: "ipip", name: "tunl0", mtu: 1480, address: address("10.244.9.0") };
const asWanted = ["tunl0 up 1480", "10.244.9.0/32"];

function withTunnel(
  subject: KernelSubject,
  use: (run: TunnelRun) => Promise<void>,
  kernel?: DeviceKernel,
): Promise<void> {
  return runTunnels(subject, { name: wanted.name, tunnels: [wanted], shownDevice, kernel }, use);
}

/** What the kernel has of the device, as short text. */
async function shownDevice({ kernel }: KernelSubject): Promise<readonly string[]> {
  const link = (await kernel.dumpLinks()).find(({ name }) => name === "tunl0");
  if (link === undefined) return [];
  const isAny = link.kind === "ipip" && link.ipip?.local === undefined && link.ipip?.remote === undefined;
  const state = (link.flags & Iff.IFF_UP) === 0 ? "down" : "up";
  const addresses = (await kernel.dumpAddresses())
    .filter((one) => one.interfaceIndex === link.index && IpAddress.isIpv4(one.address))
    .map((one) => `${IpAddress.format(one.address)}/${one.prefixLength}`);
  return [`${link.name} ${state} ${link.mtu}${isAny ? "" : " foreign"}`, ...addresses];
}

function make(subject: KernelSubject): Promise<void> {
  return withTunnel(subject, async ({ reconciler, events, until }) => {
    await until(asWanted);
    same(reconciler.status, { settled: true, ready: true, problems: [] }, "status");
    const told = events.length;
    reconciler.resync();
    await subject.until("a second look", () => reconciler.status.settled);
    await until(asWanted);
    same(events.length, told, "news of nothing");
  });
}

function mend(subject: KernelSubject): Promise<void> {
  const { others } = subject;
  const own = (interfaceIndex: number, text: string, prefixLength: number) => ({
    interfaceIndex,
    address: address(text),
    prefixLength,
  });
  return withTunnel(subject, async ({ events, until }) => {
    await until(asWanted);
    const deeds: readonly ((index: number) => void)[] = [
      (index) => others.device({ kind: "link.set", index, settings: { up: false } }),
      (index) => others.device({ kind: "link.set", index, settings: { mtu: 1300 } }),
      (index) => {
        others.device({ kind: "link.set", index, settings: { up: false } });
        others.device({ kind: "link.set", index, settings: { name: "elsewhere" } });
      },
      (index) => others.device({ kind: "address.delete", address: own(index, "10.244.9.0", 32) }),
      (index) => others.device({ kind: "address.add", address: own(index, "10.9.9.9", 24) }),
    ];
    for (const deed of deeds) {
      const told = events.length;
      deed(await indexOf(subject, "tunl0"));
      await until(asWanted);
      same(
        events.slice(told).map(({ isRepair }) => isRepair),
        events.slice(told).map(() => true),
        "repairs",
      );
      same(events.length > told, true, "told");
    }
    others.device({ kind: "link.delete", index: await indexOf(subject, "tunl0") });
    await until(asWanted);
  });
}

async function takeOver(subject: KernelSubject): Promise<void> {
  const { others, kernel } = subject;
  const present = (await kernel.dumpLinks()).find(({ name }) => name === "tunl0");
  if (present !== undefined)
    others.device({ kind: "link.set", index: present.index, settings: { name: "tunnel7" } });
  others.addLink("tunl0");
  await withTunnel(subject, async ({ events, until }) => {
    await until(asWanted);
    const whole = events.map(({ news }) => news).join("; ");
    same(/and no IP-in-IP device|it was called tunnel7/.test(whole), true, whole);
  });
  const { index } = (await kernel.dumpLinks()).find(({ name }) => name === "tunl0") ?? { index: 0 };
  others.device({ kind: "link.set", index, settings: { up: false } });
  others.device({ kind: "link.set", index, settings: { name: "tunnel8" } });
  const details = { kind: "ipip", remote: address("10.99.0.7") } as const;
  others.device({ kind: "link.add", link: { name: "tunl0", details } });
  await withTunnel(subject, async ({ events, until }) => {
    await until(asWanted);
    const whole = events.map(({ news }) => news).join("; ");
    same(whole.includes("tunnel8"), true, whole);
  });
}

function retire(subject: KernelSubject): Promise<void> {
  return withTunnel(subject, async ({ reconciler, until }) => {
    await until(asWanted);
    reconciler.apply([]);
    await until(["tunl0 up 1480"]);
    same(reconciler.status.ready, true, "ready");
  });
}

async function moduleMissing(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  let hasModule = false;
  const without: DeviceKernel = {
    subscribe: (listener) => kernel.subscribe(listener),
    dumpLinks: async () => (await kernel.dumpLinks()).filter(({ kind }) => hasModule || kind !== "ipip"),
    dumpAddresses: () => kernel.dumpAddresses(),
    dumpNeighbours: (table, index) => kernel.dumpNeighbours(table, index),
    applyDevices: (operations) =>
      hasModule
        ? kernel.applyDevices(operations)
        : Promise.resolve(
            operations.map(() => ({ kind: "failed", errno: "EOPNOTSUPP", detail: "Unknown device type" })),
          ),
  };
  await withTunnel(
    subject,
    async ({ reconciler, events, until }) => {
      await subject.until("the lack to be told", () => reconciler.status.problems.length > 0);
      const problem =
        "this kernel has no ipip module, so there is no such tunnel: load it (modprobe ipip), or choose another encapsulation; meanwhile only routes from before carry traffic, as they are";
      same(reconciler.status.problems, [{ device: "tunl0", problem }], "problems");
      same(events, [], "news");
      hasModule = true;
      await until(asWanted);
      same(reconciler.status.problems, [], "problems");
    },
    without,
  );
}
