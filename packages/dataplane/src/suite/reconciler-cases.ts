import { IpAddress, Prefix } from "@caracal/net";
import type { DesiredRoute } from "../desired-route.ts";
import type { RouteSource } from "../desired-table.ts";
import { FaultyKernel, type KernelStep } from "../faulty-kernel.ts";
import type { Kernel } from "../kernel.ts";
import { RouteReconciler } from "../route-reconciler.ts";
import {
  address,
  type KernelCase,
  type KernelSubject,
  prefix,
  route,
  same,
  shown,
  wishVia,
} from "./subject.ts";

/** What the reconciler promises, whatever kernel is below it. */
export const reconcilerCases: readonly KernelCase[] = [
  {
    name: "reconciler: what is wanted gets into the kernel, and a second look changes nothing",
    run: converges,
  },
  { name: "reconciler: a changed route is replaced in one step", run: replacesInPlace },
  {
    name: "reconciler: an alien's route in the way is left alone, told, and succeeded when it goes",
    run: conflict,
  },
  { name: "reconciler: a route that somebody removes comes back", run: heals },
  { name: "reconciler: a route that somebody adds in our name goes", run: removesForged },
  { name: "reconciler: routes wait for their interface, and come back when it does", run: waitsForLink },
  { name: "reconciler: a route stays until its successor's interface is there", run: staysUntilSucceeded },
  {
    name: "reconciler: an IPv6 route moves to an interface where its gateway is inside it, and back",
    run: movesInside,
  },
  {
    name: "reconciler: a next hop that leads nowhere stops no other route, and is tried again",
    run: unresolvable,
  },
  { name: "reconciler: routes of an earlier run stay until their source is complete", run: grace },
  { name: "reconciler: routes of an earlier run stay no longer than their grace", run: graceEnds },
  {
    name: "reconciler: every route on pod interfaces is owned, the kernel's own excepted",
    run: podInterfaces,
  },
  { name: "reconciler: whichever step fails once, it converges", run: everyStepFailsOnce },
];

const bgp: RouteSource = { name: "bgp", owns: { protocols: [12] }, graceMs: 0 };
const limits = { noticeDelayMs: 2, retryMinMs: 2, retryMaxMs: 40 };

/** Runs `work` with a started reconciler, and stops it whatever happens. */
async function reconciling(
  subject: KernelSubject,
  sources: readonly RouteSource[],
  work: (reconciler: RouteReconciler, steps: readonly string[]) => Promise<void>,
  kernel: Kernel = subject.kernel,
): Promise<void> {
  const steps: string[] = [];
  const recording = new FaultyKernel(kernel, (step) => {
    steps.push(step);
    return false;
  });
  const reconciler = new RouteReconciler({ kernel: recording, clock: subject.clock, sources, limits });
  reconciler.start();
  try {
    await work(reconciler, steps);
  } finally {
    reconciler.stop();
  }
}

function isReady(reconciler: RouteReconciler): () => boolean {
  return () => reconciler.status.ready;
}

async function converges(subject: KernelSubject): Promise<void> {
  await reconciling(subject, [bgp], async (reconciler, steps) => {
    const hop = { interfaceName: "up0", gateway: address("10.99.0.2") };
    reconciler.replace("bgp", [
      wishVia("10.244.1.0/26", "10.99.0.2"),
      wishVia("10.244.2.0/26", "0.0.0.0", { nextHops: [hop, { ...hop, gateway: address("10.99.0.3") }] }),
      { destination: prefix("10.244.0.0/16"), type: 6, protocol: 12 },
      wishVia("fd80::/122", "fd99::2"),
    ]);
    await subject.until("ready", isReady(reconciler));
    const expected = [
      "10.244.0.0/16 type 6 proto 12",
      "10.244.1.0/26 via 10.99.0.2 dev up0 proto 12",
      "10.244.2.0/26 via 10.99.0.2 dev up0 and via 10.99.0.3 dev up0 proto 12",
      "fd80::/122 via fd99::2 dev up0 proto 12",
    ];
    same(await shown(subject), expected, "routes");
    const before = steps.length;
    reconciler.resync();
    await subject.until("ready again", isReady(reconciler));
    same(steps.slice(before), ["dumpLinks", "dumpRoutes"], "steps of the second look");
    reconciler.replace("bgp", []);
    await subject.until("ready without routes", isReady(reconciler));
    same(await shown(subject), [], "routes at the end");
  });
}

async function replacesInPlace(subject: KernelSubject): Promise<void> {
  await reconciling(subject, [bgp], async (reconciler, steps) => {
    reconciler.update("bgp", [wishVia("10.244.1.0/26", "10.99.0.2"), wishVia("fd80::/122", "fd99::2")]);
    await subject.until("ready", isReady(reconciler));
    const before = steps.length;
    const blackhole = { destination: prefix("fd80::/122"), type: 6, protocol: 12 };
    reconciler.update("bgp", [wishVia("10.244.1.0/26", "10.99.0.3"), blackhole]);
    await subject.until("ready again", isReady(reconciler));
    same(
      steps.slice(before).filter((step) => step !== "apply"),
      ["replace", "replace"],
      "steps",
    );
    same(
      await shown(subject),
      ["10.244.1.0/26 via 10.99.0.3 dev up0 proto 12", "fd80::/122 type 6 proto 12"],
      "routes",
    );
  });
}

async function conflict(subject: KernelSubject): Promise<void> {
  const { others, until } = subject;
  const alien = route("10.244.1.0/26", { protocol: 4 });
  others.route({ kind: "add", route: alien });
  await reconciling(subject, [bgp], async (reconciler) => {
    reconciler.update("bgp", [wishVia("10.244.1.0/26", "10.99.0.2"), wishVia("10.244.2.0/26", "10.99.0.2")]);
    await until("settled", () => reconciler.status.settled);
    same(reconciler.status.ready, false, "ready");
    same(
      reconciler.status.conflicts.map((one) => one.alien.protocol),
      [4],
      "protocols in the way",
    );
    same(
      await shown(subject),
      ["10.244.1.0/26 type 6 proto 4", "10.244.2.0/26 via 10.99.0.2 dev up0 proto 12"],
      "routes",
    );
    others.route({ kind: "delete", route: alien });
    await until("ready", isReady(reconciler));
    same((await shown(subject))[0], "10.244.1.0/26 via 10.99.0.2 dev up0 proto 12", "the route");
    // The alien comes first: an add is refused, and looked into.
    others.route({ kind: "add", route: route("10.244.3.0/26", { protocol: 4 }) });
    reconciler.update("bgp", [wishVia("10.244.3.0/26", "10.99.0.2")]);
    await until("the conflict", () => reconciler.status.conflicts.length === 1);
  });
}

async function heals(subject: KernelSubject): Promise<void> {
  await reconciling(subject, [bgp], async (reconciler) => {
    const wish: DesiredRoute = { destination: prefix("10.244.1.0/26"), type: 6, protocol: 12 };
    reconciler.update("bgp", [wish]);
    await subject.until("ready", isReady(reconciler));
    subject.others.route({ kind: "delete", route: route("10.244.1.0/26") });
    await subject.until("the route", async () => (await shown(subject)).length === 1);
  });
}

async function removesForged(subject: KernelSubject): Promise<void> {
  await reconciling(subject, [bgp], async (reconciler) => {
    await subject.until("ready", isReady(reconciler));
    subject.others.route({ kind: "add", route: route("10.244.1.0/26") });
    subject.others.route({ kind: "add", route: route("10.244.2.0/26", { protocol: 4 }) });
    await subject.until("only the alien's route", async () => {
      const routes = await shown(subject);
      return routes.length === 1 && routes[0] === "10.244.2.0/26 type 6 proto 4";
    });
  });
}

async function waitsForLink(subject: KernelSubject): Promise<void> {
  const { others, until } = subject;
  const pods: RouteSource = { name: "pods", owns: { interfacePrefixes: ["cali"] }, graceMs: 0 };
  await reconciling(subject, [pods], async (reconciler) => {
    const nextHops = [{ interfaceName: "cali1" }];
    reconciler.update("pods", [{ destination: prefix("10.244.0.5/32"), protocol: 3, scope: 253, nextHops }]);
    await until("settled", () => reconciler.status.settled);
    same(
      reconciler.status.waiting.map((one) => one.interfaceName),
      ["cali1"],
      "waited for",
    );
    // Twice: the second interface has another index.
    for (const round of ["first", "second"]) {
      others.addLink("cali1");
      others.setLinkUp("cali1", true);
      await until(`ready, ${round}`, isReady(reconciler));
      same(await shown(subject), ["10.244.0.5/32 dev cali1 proto 3"], "routes");
      others.setLinkUp("cali1", false);
      await until("a failure", () => reconciler.status.failures.length === 1);
      others.setLinkUp("cali1", true);
      await until(`ready again, ${round}`, isReady(reconciler));
      others.deleteLink("cali1");
      await until("waiting", () => reconciler.status.waiting.length === 1);
    }
  });
}

async function staysUntilSucceeded(subject: KernelSubject): Promise<void> {
  const gateway = address("10.99.0.2");
  const through = (interfaceName: string): DesiredRoute =>
    wishVia("10.244.1.0/26", "10.99.0.2", { nextHops: [{ interfaceName, gateway, onlink: true }] });
  await reconciling(subject, [bgp], async (reconciler, steps) => {
    reconciler.replace("bgp", [through("up0")]);
    await subject.until("ready", isReady(reconciler));
    reconciler.replace("bgp", [through("tun0")]);
    await subject.until("settled", () => reconciler.status.settled);
    same(await shown(subject), ["10.244.1.0/26 via 10.99.0.2 dev up0 proto 12"], "routes meanwhile");
    same(reconciler.status.ready, false, "readiness meanwhile");
    subject.others.addLink("tun0");
    subject.others.setLinkUp("tun0", true);
    await subject.until("ready again", isReady(reconciler));
    same(await shown(subject), ["10.244.1.0/26 via 10.99.0.2 dev tun0 proto 12"], "routes at the end");
    same(steps.includes("delete"), false, "a moment without a route");
    // One that nobody wants any more goes, with or without an interface.
    reconciler.replace("bgp", [through("tun9")]);
    reconciler.replace("bgp", []);
    await subject.until("empty", async () => (await shown(subject)).length === 0);
  });
}

async function movesInside(subject: KernelSubject): Promise<void> {
  const destination = "fd80:0:0:1::/122";
  await reconciling(subject, [bgp], async (reconciler) => {
    const [direct, tunnelled] = (
      [
        ["up0", "fd99::2"],
        ["tun0", "fd80:0:0:1::5"],
      ] as const
    ).map(([interfaceName, gateway]) =>
      wishVia(destination, gateway, {
        nextHops: [{ interfaceName, gateway: address(gateway), onlink: true }],
      }),
    );
    if (direct === undefined || tunnelled === undefined) return;
    subject.others.addLink("tun0");
    subject.others.setLinkUp("tun0", true);
    for (const wish of [direct, tunnelled, direct]) {
      reconciler.replace("bgp", [wish]);
      await subject.until("ready", isReady(reconciler));
      const [hop] = wish.nextHops ?? [];
      const gateway = hop?.gateway === undefined ? "" : IpAddress.format(hop.gateway);
      same(
        await shown(subject),
        [`${destination} via ${gateway} dev ${hop?.interfaceName} proto 12`],
        "routes",
      );
    }
  });
}

async function unresolvable(subject: KernelSubject): Promise<void> {
  await reconciling(subject, [bgp], async (reconciler) => {
    const wishes = Array.from({ length: 100 }, (_, i) =>
      wishVia(`10.244.${i}.0/24`, i % 10 === 3 ? "10.98.0.2" : "10.99.0.2"),
    );
    reconciler.replace("bgp", wishes);
    await subject.until("settled", () => reconciler.status.settled);
    same((await shown(subject)).length, 90, "number of routes");
    const [failure] = reconciler.status.failures;
    same(failure?.errno, "ENETUNREACH", "why");
    same(failure?.detail, "Nexthop has invalid gateway", "in the kernel's words");
    subject.others.addAddress("up0", address("10.98.0.1"), 24);
    await subject.until("ready", isReady(reconciler));
    same((await shown(subject)).length, 100, "number of routes at the end");
  });
}

async function grace(subject: KernelSubject): Promise<void> {
  const { others, until } = subject;
  others.route({ kind: "add", route: route("10.244.1.0/26") });
  others.route({ kind: "add", route: route("10.244.2.0/26") });
  const blocks: RouteSource = { name: "blocks", owns: { protocols: [12] }, graceMs: 1e9 };
  await reconciling(subject, [blocks, { ...bgp, graceMs: 1e9 }], async (reconciler) => {
    reconciler.update("bgp", [wishVia("10.244.2.0/26", "10.99.0.2")]);
    reconciler.complete("blocks");
    await until("ready", isReady(reconciler));
    const kept = "10.244.1.0/26 type 6 proto 12";
    const renewed = "10.244.2.0/26 via 10.99.0.2 dev up0 proto 12";
    same(await shown(subject), [kept, renewed], "routes before the source is complete");
    reconciler.complete("bgp");
    await until("ready again", isReady(reconciler));
    same(await shown(subject), [renewed], "routes afterwards");
  });
}

async function graceEnds(subject: KernelSubject): Promise<void> {
  subject.others.route({ kind: "add", route: route("10.244.1.0/26") });
  await reconciling(subject, [{ ...bgp, graceMs: 30 }], async (reconciler) => {
    await subject.until("no route", async () => (await shown(subject)).length === 0);
    await subject.until("ready", isReady(reconciler));
  });
}

async function podInterfaces(subject: KernelSubject): Promise<void> {
  const { others, until } = subject;
  others.addLink("cali1");
  others.setLinkUp("cali1", true);
  others.addAddress("cali1", address("192.0.2.1"), 24);
  const { index: interfaceIndex } = await linkNamed(subject, "cali1");
  others.route({
    kind: "add",
    route: route("10.244.0.9/32", { protocol: 3, scope: 253, nextHops: [{ interfaceIndex }] }),
  });
  others.route({ kind: "add", route: route("10.244.0.8/32", { protocol: 3 }) });
  const kernelsOwn = async (): Promise<readonly string[]> =>
    (await subject.kernel.dumpRoutes())
      .filter(({ protocol }) => protocol === 2)
      .map(
        (one) => `${Prefix.format(one.destination)} ${one.table} ${one.nextHops[0]?.interfaceIndex ?? ""}`,
      );
  const before = await kernelsOwn();
  const pods: RouteSource = { name: "pods", owns: { interfacePrefixes: ["cali"] }, graceMs: 0 };
  await reconciling(subject, [pods], async (reconciler) => {
    await until("ready", isReady(reconciler));
    same(await shown(subject), ["10.244.0.8/32 type 6 proto 3"], "routes");
    const after = new Set(await kernelsOwn());
    // More may have come by themselves, as links became ready.
    const gone = before.filter((one) => !after.has(one));
    same(gone, [], "the kernel's own routes that are gone");
  });
}

async function linkNamed({ kernel }: KernelSubject, name: string): Promise<{ readonly index: number }> {
  return (await kernel.dumpLinks()).find((link) => link.name === name) ?? { index: 0 };
}

async function everyStepFailsOnce(subject: KernelSubject): Promise<void> {
  const before = [wishVia("10.244.1.0/26", "10.99.0.2"), wishVia("10.244.2.0/26", "10.99.0.2")];
  const after = [wishVia("10.244.2.0/26", "10.99.0.3"), wishVia("10.244.3.0/26", "10.99.0.2")];
  const hit = new Set<string>();
  for (let failing = 0; ; failing += 1) {
    let count = 0;
    const faulty = new FaultyKernel(subject.kernel, (step: KernelStep) => {
      if (count++ !== failing) return false;
      hit.add(step);
      return true;
    });
    await reconciling(
      subject,
      [bgp],
      async (reconciler) => await throughBoth(subject, reconciler, before, after),
      faulty,
    );
    if (count <= failing) break;
  }
  same(
    [...hit].toSorted(),
    ["add", "apply", "delete", "dumpLinks", "dumpRoutes", "replace"],
    "steps that failed once",
  );
}

async function throughBoth(
  subject: KernelSubject,
  reconciler: RouteReconciler,
  before: readonly DesiredRoute[],
  after: readonly DesiredRoute[],
): Promise<void> {
  for (const wishes of [before, after]) {
    reconciler.replace("bgp", wishes);
    await subject.until("ready", isReady(reconciler));
    const routes = await shown(subject);
    same(routes.length, 2, "number of routes");
  }
  same(
    await shown(subject),
    ["10.244.2.0/26 via 10.99.0.3 dev up0 proto 12", "10.244.3.0/26 via 10.99.0.2 dev up0 proto 12"],
    "routes",
  );
}
