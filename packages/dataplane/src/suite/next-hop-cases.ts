import { IpAddress, Ipv4 } from "@caracal/net";
import { type NextHopObject, type Route, RouteProtocol } from "@caracal/netlink";
import type { RouteSource } from "../desired-table.ts";
import type { RouteOperation } from "../kernel.ts";
import { BulkKernel, type BulkKernelLimits } from "../next-hops/bulk-kernel.ts";
import { nextHopIdMin } from "../next-hops/scaffold.ts";
import { RouteReconciler } from "../route-reconciler.ts";
import {
  address,
  indexOf,
  type KernelCase,
  type KernelSubject,
  outcomeNames,
  route,
  same,
  shown,
  shownBy,
} from "./subject.ts";

/** What the port promises of next hops that are objects, and what comes of routes that are written through them. */
export const nextHopCases: readonly KernelCase[] = [
  { name: "next hops: a route leads through an object, and is replaced by a plain one and back", run: swaps },
  { name: "next hops: an object takes its routes along, which is told of the object alone", run: takesAlong },
  { name: "bulk: many gateways go in through objects, and are plain routes in the end", run: becomesPlain },
  { name: "bulk: few gateways at once need no objects", run: fewArePlain },
  { name: "bulk: what an earlier run left becomes plain, and objects of others stay", run: takesOver },
  { name: "bulk: numbers that others have are left to them", run: takenNumbers },
  { name: "bulk: a gateway out of reach is refused as a plain route is", run: refusedGateway },
  {
    name: "bulk: routes that are changed and removed meanwhile are as they were left",
    run: changedMeanwhile,
  },
  { name: "bulk: an alien's route in the place of one of ours stays", run: alienMeanwhile },
  { name: "bulk: routes come back that went with an object", run: objectDeleted },
  { name: "bulk: routes come back that went with their interface", run: linkDown },
];

/** The same promises, kept by a `BulkKernel` that takes every route with a gateway for one of many. */
export function throughObjects(cases: readonly KernelCase[]): readonly KernelCase[] {
  return cases.map(({ name, run }) => ({
    name: `${name} (through next hop objects)`,
    run: async (subject) => {
      const { kernel } = subject;
      using bulk = bulkOf(subject, { gatewaysMin: 1 });
      await run({
        ...subject,
        kernel: Object.assign(bulk, {
          dumpNextHops: () => kernel.dumpNextHops(),
          applyNextHops: kernel.applyNextHops.bind(kernel),
          applyDevices: kernel.applyDevices.bind(kernel),
        }),
      });
    },
  }));
}

const many = 20;

function bulkOf({ kernel, clock }: KernelSubject, limits: Partial<BulkKernelLimits> = {}): BulkKernel {
  const quick = { gatewaysMin: many, restMs: 2, stepMs: 1, routesPerStep: 3 };
  return new BulkKernel({ kernel, clock, limits: { ...quick, ...limits } });
}

/** A route for each of `count` blocks with a gateway each, from 10.99.0.2 on. */
async function routesOf(subject: KernelSubject, count: number = many): Promise<readonly Route[]> {
  const interfaceIndex = await indexOf(subject, "up0");
  return Array.from({ length: count }, (_, at) => {
    const gateway = Ipv4.of(0x0a63_0002 + at);
    return route(`10.1.${at}.0/26`, { nextHops: [{ interfaceIndex, gateway }] });
  });
}

function adds(routes: readonly Route[]): readonly RouteOperation[] {
  return routes.map((one) => ({ kind: "add", route: one }));
}

function texts(routes: readonly Route[]): readonly string[] {
  return routes
    .map(({ nextHops: [hop] }, at) => {
      const via = hop?.gateway === undefined ? "" : IpAddress.format(hop.gateway);
      return `10.1.${at}.0/26 via ${via} dev up0 proto 12`;
    })
    .toSorted((a, b) => (a < b ? -1 : 1));
}

async function countThroughObjects({ kernel }: KernelSubject): Promise<number> {
  return (await kernel.dumpRoutes()).filter(({ nextHopId }) => nextHopId !== undefined).length;
}

async function isPlain(subject: KernelSubject): Promise<boolean> {
  return (await subject.kernel.dumpNextHops()).length === 0 && (await countThroughObjects(subject)) === 0;
}

async function objectTo(subject: KernelSubject, id: number, gateway: string): Promise<NextHopObject> {
  const interfaceIndex = await indexOf(subject, "up0");
  return { id, protocol: RouteProtocol.RTPROT_FELIX, hop: { interfaceIndex, gateway: address(gateway) } };
}

async function swaps(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  const object = await objectTo(subject, 7, "10.99.0.2");
  const onlink = { ...object, id: 8, hop: { ...object.hop, gateway: address("192.0.2.7"), onlink: true } };
  const add = (one: NextHopObject) => ({ kind: "add", object: one }) as const;
  const made = await kernel.applyNextHops([add(object), add(object), add(onlink)]);
  same(outcomeNames(made), ["done", "EEXIST", "done"], "making objects");
  same(await kernel.dumpNextHops(), [object, onlink], "objects");
  const plain = route("10.1.0.0/26", { nextHops: [object.hop] });
  const through = { ...plain, nextHopId: 7 };
  const outcomes = await kernel.applyRoutes([
    { kind: "add", route: plain },
    { kind: "replace", route: through },
    { kind: "delete", route: plain },
    { kind: "delete", route: { ...plain, nextHopId: 8 } },
    { kind: "add", route: { ...route("10.2.0.0/26", { nextHops: [onlink.hop] }), nextHopId: 8 } },
    { kind: "add", route: { ...route("10.3.0.0/26", { nextHops: [onlink.hop] }), nextHopId: 9 } },
  ]);
  same(outcomeNames(outcomes), ["done", "done", "ESRCH", "ESRCH", "done", "EINVAL"], "through objects");
  const ofOurs = (await kernel.dumpRoutes()).filter(({ protocol }) => protocol === 12);
  same(
    ofOurs.map(({ nextHopId, nextHops }) => ({ nextHopId, nextHops })),
    [object, onlink].map(({ id, hop }) => ({ nextHopId: id, nextHops: [hop] })),
    "routes with their objects",
  );
  const back = await kernel.applyRoutes([
    { kind: "replace", route: plain },
    { kind: "delete", route: through },
    { kind: "delete", route: plain },
  ]);
  same(outcomeNames(back), ["done", "ESRCH", "done"], "plain again");
}

async function takesAlong(subject: KernelSubject): Promise<void> {
  const { kernel, others, until } = subject;
  const object = await objectTo(subject, 7, "10.99.0.2");
  const told: string[] = [];
  const stop = kernel.subscribe((notice) => {
    if (notice.kind === "overrun") return;
    for (const change of notice.changes) {
      // The kernel makes routes of its own as links get ready.
      const isOurs = change.kind === "route" && change.route.protocol === 12;
      if (isOurs || change.kind === "nextHop") told.push(`${change.gone ? "-" : "+"}${change.kind}`);
    }
  });
  others.nextHop({ kind: "add", object });
  const through = { ...route("10.1.0.0/26", { nextHops: [object.hop] }), nextHopId: 7 };
  await kernel.applyRoutes([{ kind: "add", route: through }]);
  others.nextHop({ kind: "delete", id: 7 });
  await until("the notices", () => told.includes("-nextHop"));
  stop();
  same(told, ["+nextHop", "-nextHop"], "told");
  same(await shown(subject), [], "routes");
  const again = await kernel.applyNextHops([{ kind: "delete", id: 7 }]);
  same(outcomeNames(again), ["ENOENT"], "deleting it again");
}

async function becomesPlain(subject: KernelSubject): Promise<void> {
  const routes = await routesOf(subject);
  using bulk = bulkOf(subject);
  const outcomes = await bulk.applyRoutes(adds(routes));
  same([...new Set(outcomeNames(outcomes))], ["done"], "outcomes");
  same(await countThroughObjects(subject), many, "routes through objects");
  same(await shownBy(bulk), texts(routes), "routes at once");
  const seen = (await bulk.dumpRoutes()).some(({ nextHopId }) => nextHopId !== undefined);
  same(seen, false, "objects seen through the port");
  await subject.until("plain routes", async () => {
    same((await shown(subject)).length, many, "routes on the way");
    return await isPlain(subject);
  });
  same(await shown(subject), texts(routes), "routes in the end");
}

async function fewArePlain(subject: KernelSubject): Promise<void> {
  const routes = await routesOf(subject, many - 1);
  const [first] = routes;
  using bulk = bulkOf(subject);
  // As many routes, but two of them lead to one gateway.
  const twin = { ...route("10.1.19.0/26"), type: 1, nextHops: first?.nextHops ?? [] };
  await bulk.applyRoutes(adds([...routes, twin]));
  same(await isPlain(subject), true, "without objects");
  same((await shown(subject)).length, many, "number of routes");
}

async function takesOver(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  const routes = await routesOf(subject);
  {
    using dying = bulkOf(subject, { restMs: 1e9 });
    await dying.applyRoutes(adds(routes));
  }
  const foreign = await objectTo(subject, 7, "10.99.0.2");
  const ofOther = { ...(await objectTo(subject, nextHopIdMin + 500, "10.99.0.3")), protocol: 4 };
  await kernel.applyNextHops([foreign, ofOther].map((object) => ({ kind: "add", object })));
  using bulk = bulkOf(subject);
  same(await shownBy(bulk), texts(routes), "routes found");
  // Some are not wanted any more, and some are new, while objects are still there.
  const [first, second, ...rest] = routes;
  if (first === undefined || second === undefined) return;
  const more = (await routesOf(subject, 2 * many)).slice(many);
  const outcomes = await bulk.applyRoutes([
    { kind: "delete", route: first },
    { kind: "replace", route: { ...second, nextHops: first.nextHops } },
    ...adds(more),
  ]);
  same([...new Set(outcomeNames(outcomes))], ["done"], "outcomes");
  await subject.until("plain routes", async () => (await countThroughObjects(subject)) === 0);
  await subject.until("no objects of ours", async () => (await kernel.dumpNextHops()).length === 2);
  same(
    (await kernel.dumpNextHops()).map(({ id }) => id),
    [7, nextHopIdMin + 500],
    "objects of others",
  );
  same((await shown(subject)).length, rest.length + 1 + many, "number of routes in the end");
}

async function takenNumbers(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  const alien = { ...(await objectTo(subject, nextHopIdMin + 3, "10.99.0.77")), protocol: 4 };
  await kernel.applyNextHops([{ kind: "add", object: alien }]);
  const routes = await routesOf(subject);
  using bulk = bulkOf(subject);
  const outcomes = await bulk.applyRoutes(adds(routes));
  same([...new Set(outcomeNames(outcomes))], ["done"], "outcomes");
  same(await countThroughObjects(subject), many - 1, "routes through objects");
  same(await shown(subject), texts(routes), "routes");
  await subject.until("plain routes", async () => (await kernel.dumpNextHops()).length === 1);
  same(await kernel.dumpNextHops(), [alien], "the alien's object");
}

async function refusedGateway(subject: KernelSubject): Promise<void> {
  const routes = await routesOf(subject);
  const astray = { ...route("10.9.0.0/26"), type: 1 };
  const interfaceIndex = await indexOf(subject, "up0");
  using bulk = bulkOf(subject);
  const outcomes = await bulk.applyRoutes(
    adds([{ ...astray, nextHops: [{ interfaceIndex, gateway: address("203.0.113.1") }] }, ...routes]),
  );
  const [first, ...others] = outcomes;
  const text = first?.kind === "failed" ? `${first.errno}: ${first.detail}` : "done";
  same(text, "ENETUNREACH: Nexthop has invalid gateway", "the refusal");
  same([...new Set(outcomeNames(others))], ["done"], "outcomes");
}

async function changedMeanwhile(subject: KernelSubject): Promise<void> {
  const routes = await routesOf(subject);
  using bulk = bulkOf(subject);
  await bulk.applyRoutes(adds(routes));
  const [first, second, third] = routes;
  if (first === undefined || second === undefined || third === undefined) return;
  const outcomes = await bulk.applyRoutes([
    { kind: "replace", route: { ...second, nextHops: first.nextHops } },
    { kind: "replace", route: { ...third, type: 6, nextHops: [] } },
    { kind: "delete", route: first },
    { kind: "delete", route: first },
  ]);
  same(outcomeNames(outcomes), ["done", "done", "done", "ESRCH"], "outcomes");
  await subject.until("plain routes", () => isPlain(subject));
  const [at1, at2] = (await shown(subject)).toSorted((a, b) => a.length - b.length);
  same(at1, "10.1.2.0/26 type 6 proto 12", "the blackhole");
  same(at2, "10.1.1.0/26 via 10.99.0.2 dev up0 proto 12", "the moved one");
  same((await shown(subject)).length, many - 1, "number of routes");
}

async function alienMeanwhile(subject: KernelSubject): Promise<void> {
  const routes = await routesOf(subject);
  using bulk = bulkOf(subject, { restMs: 200 });
  const told: string[] = [];
  const stop = bulk.subscribe((notice) => void told.push(notice.kind));
  await bulk.applyRoutes(adds(routes));
  const [first] = routes;
  if (first === undefined) return;
  subject.others.route({ kind: "replace", route: { ...first, protocol: 4 } });
  await subject.until("the notice", () => told.length > 0);
  await subject.until("plain routes", async () => (await countThroughObjects(subject)) === 0);
  stop();
  same((await shown(subject))[0], "10.1.0.0/26 via 10.99.0.2 dev up0 proto 4", "the alien's route");
}

/** Runs `work` while a reconciler, above a kernel that takes its time to make routes plain, wants `many` routes. */
async function wanting(subject: KernelSubject, work: () => Promise<void>): Promise<void> {
  const routes = await routesOf(subject);
  using bulk = bulkOf(subject, { restMs: 200 });
  const bgp: RouteSource = { name: "bgp", owns: { protocols: [12] }, graceMs: 0 };
  const limits = { noticeDelayMs: 2, retryMinMs: 2, retryMaxMs: 40 };
  const reconciler = new RouteReconciler({ kernel: bulk, clock: subject.clock, sources: [bgp], limits });
  reconciler.start();
  try {
    reconciler.replace(
      "bgp",
      routes.map(({ destination, nextHops }) => ({
        destination,
        protocol: 12,
        nextHops: nextHops.flatMap(({ gateway }) =>
          gateway === undefined ? [] : [{ interfaceName: "up0", gateway }],
        ),
      })),
    );
    await subject.until("ready", () => reconciler.status.ready);
    same(await countThroughObjects(subject), many, "routes through objects");
    await work();
    await subject.until("routes again", async () => (await shown(subject)).length === many);
    await subject.until("ready again", () => reconciler.status.ready);
    await subject.until("plain routes", () => isPlain(subject));
    same(await shown(subject), texts(routes), "routes in the end");
    same(reconciler.status.ready, true, "readiness in the end");
  } finally {
    reconciler.stop();
  }
}

async function objectDeleted(subject: KernelSubject): Promise<void> {
  await wanting(subject, async () => {
    const [object] = await subject.kernel.dumpNextHops();
    subject.others.nextHop({ kind: "delete", id: object?.id ?? 0 });
    same((await shown(subject)).length, many - 1, "routes after that");
  });
}

async function linkDown(subject: KernelSubject): Promise<void> {
  await wanting(subject, async () => {
    subject.others.setLinkUp("up0", false);
    await subject.until("no routes", async () => (await shown(subject)).length === 0);
    subject.others.setLinkUp("up0", true);
  });
}
