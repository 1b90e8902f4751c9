import { type Change, RouteType } from "@caracal/netlink";
import { isAsWanted } from "../desired-route.ts";
import type { KernelNotice } from "../kernel.ts";
import {
  address,
  indexOf,
  type KernelCase,
  type KernelSubject,
  outcomeNames,
  route,
  same,
  shown,
} from "./subject.ts";

/** What the port itself promises. */
export const portCases: readonly KernelCase[] = [
  { name: "port: an added route is dumped as it was given", run: addAndDump },
  { name: "port: add refuses a taken place, whoever holds it", run: addTaken },
  { name: "port: replace takes the place of what is there, or a free one", run: replaceTaken },
  { name: "port: delete removes only what is equal in everything", run: deleteExact },
  { name: "port: a failure in the middle is told by place and the rest is done", run: failInTheMiddle },
  { name: "port: an empty list of operations is fine", run: nothingToDo },
  { name: "port: changes by others are told, own ones are not", run: notices },
  { name: "port: nothing is told any more after unsubscribing", run: unsubscribe },
  { name: "port: routes vanish with their interface", run: linkLoss },
];

async function addAndDump(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  const interfaceIndex = await indexOf(subject, "up0");
  const hop = (gateway: string) => ({ interfaceIndex, gateway: address(gateway) });
  const routes = [
    route("10.1.0.0/26", { nextHops: [hop("10.99.0.2")] }),
    route("10.2.0.0/26"),
    route("10.3.0.0/26", { type: RouteType.RTN_UNREACHABLE, metric: 5, protocol: 80 }),
    route("10.4.0.5/32", { scope: 253, protocol: 3, nextHops: [{ interfaceIndex }] }),
    route("10.5.0.0/26", { nextHops: [hop("10.99.0.2"), { ...hop("10.99.0.3"), weight: 3 }] }),
    route("10.6.0.0/26", { nextHops: [{ ...hop("192.0.2.7"), onlink: true }] }),
    route("10.7.0.0/26", { mtu: 1400, nextHops: [hop("10.99.0.2")], preferredSource: address("10.99.0.1") }),
    route("fd01::/122", { nextHops: [hop("fd99::2")] }),
    route("fd02::/122"),
  ];
  const outcomes = await kernel.applyRoutes(routes.map((one) => ({ kind: "add", route: one })));
  same(
    outcomeNames(outcomes),
    routes.map(() => "done"),
    "outcomes",
  );
  const dumped = await kernel.dumpRoutes();
  for (const one of routes) {
    const found = dumped.find(({ destination }) => destination.address === one.destination.address);
    same(
      found !== undefined && isAsWanted(one, found) && found.metric === one.metric,
      true,
      "dumped as given",
    );
  }
}

async function addTaken(subject: KernelSubject): Promise<void> {
  const { kernel, others } = subject;
  others.route({ kind: "add", route: route("10.1.0.0/26", { protocol: 4 }) });
  const outcomes = await kernel.applyRoutes([
    { kind: "add", route: route("10.1.0.0/26", { protocol: 12 }) },
    { kind: "add", route: route("10.1.0.0/26", { protocol: 12, metric: 9 }) },
  ]);
  same(outcomeNames(outcomes), ["EEXIST", "done"], "outcomes");
  same(await shown(subject), ["10.1.0.0/26 type 6 proto 12", "10.1.0.0/26 type 6 proto 4"], "routes");
}

async function replaceTaken(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  const interfaceIndex = await indexOf(subject, "up0");
  const via = route("10.1.0.0/26", { nextHops: [{ interfaceIndex, gateway: address("10.99.0.2") }] });
  const via6 = route("fd01::/122", { nextHops: [{ interfaceIndex, gateway: address("fd99::2") }] });
  const outcomes = await kernel.applyRoutes([
    { kind: "add", route: route("10.1.0.0/26") },
    { kind: "replace", route: via },
    { kind: "add", route: route("fd01::/122") },
    { kind: "replace", route: via6 },
    { kind: "replace", route: route("10.2.0.0/26") },
  ]);
  same(outcomeNames(outcomes), ["done", "done", "done", "done", "done"], "outcomes");
  same(
    await shown(subject),
    [
      "10.1.0.0/26 via 10.99.0.2 dev up0 proto 12",
      "10.2.0.0/26 type 6 proto 12",
      "fd01::/122 via fd99::2 dev up0 proto 12",
    ],
    "routes",
  );
}

async function deleteExact(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  const interfaceIndex = await indexOf(subject, "up0");
  const via = (gateway: string, protocol: number) =>
    route("10.1.0.0/26", { protocol, nextHops: [{ interfaceIndex, gateway: address(gateway) }] });
  const outcomes = await kernel.applyRoutes([
    { kind: "add", route: via("10.99.0.2", 12) },
    { kind: "delete", route: via("10.99.0.2", 80) },
    { kind: "delete", route: via("10.99.0.3", 12) },
    { kind: "delete", route: route("10.1.0.0/26") },
    { kind: "delete", route: via("10.99.0.2", 12) },
    { kind: "delete", route: via("10.99.0.2", 12) },
  ]);
  same(outcomeNames(outcomes), ["done", "ESRCH", "ESRCH", "ESRCH", "done", "ESRCH"], "outcomes");
  same(await shown(subject), [], "routes");
}

async function failInTheMiddle(subject: KernelSubject): Promise<void> {
  const { kernel } = subject;
  const operations = Array.from({ length: 200 }, (_, i) => ({
    kind: "add" as const,
    route:
      i === 100
        ? route("10.1.0.0/26", { nextHops: [{ gateway: address("203.0.113.1") }] })
        : route(`10.2.${i}.0/24`),
  }));
  const outcomes = await kernel.applyRoutes(operations);
  same(outcomes.length, 200, "number of outcomes");
  same(outcomes.filter(({ kind }) => kind === "done").length, 199, "number done");
  const failure = outcomes[100];
  const text = failure?.kind === "failed" ? `${failure.errno}: ${failure.detail}` : "done";
  same(text, "ENETUNREACH: Nexthop has invalid gateway", "the failure");
  same((await shown(subject)).length, 199, "number of routes");
}

async function nothingToDo({ kernel }: KernelSubject): Promise<void> {
  same(await kernel.applyRoutes([]), [], "outcomes");
}

async function notices(subject: KernelSubject): Promise<void> {
  const { kernel, others, until } = subject;
  const told: string[] = [];
  const stop = kernel.subscribe((notice) => void told.push(...describe(notice)));
  await kernel.applyRoutes([{ kind: "add", route: route("10.1.0.0/26") }]);
  others.route({ kind: "add", route: route("10.2.0.0/26") });
  others.route({ kind: "delete", route: route("10.2.0.0/26") });
  others.setLinkUp("up0", false);
  await until("the link's notice", () => told.some((text) => text.startsWith("link up0")));
  stop();
  same(
    told.filter((text) => text.startsWith("route")),
    ["route 10.2.0.0 +", "route 10.2.0.0 -"],
    "routes told",
  );
}

function describe(notice: KernelNotice): string[] {
  return notice.kind === "overrun" ? ["overrun"] : notice.changes.flatMap(describeChange);
}

function describeChange(change: Change): string[] {
  const sign = change.gone ? "-" : "+";
  if (change.kind === "link") return [`link ${change.link.name} ${sign}`];
  if (change.kind !== "route" || change.route.destination.family !== 4) return [];
  const { destination, protocol } = change.route;
  return protocol === 2
    ? []
    : [`route ${[24, 16, 8, 0].map((bits) => (destination.address >>> bits) & 255).join(".")} ${sign}`];
}

async function unsubscribe(subject: KernelSubject): Promise<void> {
  const { kernel, others, until } = subject;
  let silent = 0;
  let told = 0;
  const stopSilent = kernel.subscribe(() => (silent += 1));
  const stop = kernel.subscribe(() => (told += 1));
  stopSilent();
  stopSilent();
  others.route({ kind: "add", route: route("10.2.0.0/26") });
  await until("the other listener's notice", () => told > 0);
  stop();
  same(silent, 0, "notices after unsubscribing");
}

async function linkLoss(subject: KernelSubject): Promise<void> {
  const { kernel, others } = subject;
  others.addLink("gone0");
  others.setLinkUp("gone0", true);
  const interfaceIndex = await indexOf(subject, "gone0");
  const wanted = route("10.4.0.5/32", { scope: 253, nextHops: [{ interfaceIndex }] });
  same(outcomeNames(await kernel.applyRoutes([{ kind: "add", route: wanted }])), ["done"], "outcome");
  others.deleteLink("gone0");
  same(await shown(subject), [], "routes");
  same(
    outcomeNames(await kernel.applyRoutes([{ kind: "add", route: wanted }])),
    ["ENODEV"],
    "outcome without the link",
  );
}
