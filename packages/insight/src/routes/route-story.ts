import { decideProgramming, type NodeIntent, type PeerIntent, type TunnelIntent } from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";
import type { ExportReport, PathReport, RouteReport } from "@caracal/questions";
import type { RouteTarget } from "./route-target.ts";

/** Why one node has, or lacks, a route to a target. */
export interface NodeStory {
  readonly node: string;
  /** The kernel has a route that leads to the target's home, or this is its home. */
  readonly hasRoute: boolean;
  /** One line. */
  readonly verdict: string;
  /** How it came about, step by step. */
  readonly steps: readonly string[];
}

export interface RouteFacts {
  readonly target: RouteTarget;
  /** What the nodes' tunnels should be, and what keeps them from it. */
  readonly tunnels?: ReadonlyMap<string, TunnelIntent>;
  readonly intents: ReadonlyMap<string, NodeIntent>;
  /** Of the nodes that answered. */
  readonly reports: ReadonlyMap<string, RouteReport>;
}

/** The story of one node, from what all nodes report. */
export function routeStory(facts: RouteFacts, node: string): NodeStory {
  const report = facts.reports.get(node);
  if (report === undefined) {
    return { node, hasRoute: false, verdict: "unknown: its daemon does not answer", steps: [] };
  }
  if (report.origin !== undefined || facts.target.home === node) return homeStory(facts, report);
  if (report.own !== undefined) return ownStory(report);
  const best = report.paths.find(({ isBest }) => isBest);
  if (best !== undefined) return learnedStory(facts, report, best);
  if (report.paths.length > 0) return unusableStory(report);
  if (report.prefix !== undefined && report.kernel.length > 0) return kernelStory(report);
  return absentStory(facts, node);
}

/** The node that the target belongs to. */
function homeStory({ target, intents }: RouteFacts, report: RouteReport): NodeStory {
  const { node, origin, prefix, exports } = report;
  const told = exports.filter(({ isTold }) => isTold);
  const kept = exports.filter(({ isTold }) => !isTold);
  const borrowed =
    target.pod !== undefined && target.block !== undefined && target.block.owner !== target.pod.node
      ? [
          `the address is borrowed from ${target.block.owner}'s block ${target.block.cidr}, so it is announced on its own`,
        ]
      : [];
  if (origin === undefined) {
    const isOff = intents.get(node)?.bgp === undefined;
    return {
      node,
      hasRoute: report.kernel.length > 0 || report.lookup !== undefined,
      // What daemons program by the resources needs no announcement.
      verdict:
        report.own !== undefined
          ? "it is at home here"
          : isOff
            ? "it is at home here, but this node speaks no BGP"
            : "it is at home here, but not announced",
      steps: [...borrowed, ...kernelSteps(report)],
    };
  }
  return {
    node,
    hasRoute: true,
    verdict: `it is at home here, and ${prefix ?? ""} is announced to ${told.length} of ${exports.length} session(s)`,
    steps: [
      ...borrowed,
      `${prefix ?? ""} is ${originText[origin]}`,
      ...told.map(({ peer }) => `told to ${peer}`),
      ...kept.map(({ peer, because }) => `not told to ${peer}: ${because}`),
      ...kernelSteps(report),
    ],
  };
}

const originText = {
  block: "a block of this node",
  pod: "the address of a pod of this node, outside its own blocks",
  service: "a range of service addresses",
} as const;

/** The daemon programs it by the resources alone: through VXLAN, say. */
function ownStory(report: RouteReport): NodeStory {
  const { node, prefix = "", kernel, kernelFailure } = report;
  const steps = ["programmed by the daemon itself, not by BGP", ...kernelSteps(report)];
  if (kernelFailure !== undefined || kernel.length === 0) {
    const why = kernelFailure ?? "it is not in the kernel yet";
    return {
      node,
      hasRoute: false,
      verdict: `the daemon has ${prefix}, but the kernel does not: ${why}`,
      steps,
    };
  }
  return { node, hasRoute: true, verdict: kernel.map(({ text }) => text).join("; "), steps };
}

/** The speaker has a route; the kernel may still lack it. */
function learnedStory({ intents }: RouteFacts, report: RouteReport, best: PathReport): NodeStory {
  const { node, prefix = "", programming, kernel, kernelFailure } = report;
  const others = report.paths.filter((path) => path !== best);
  const steps = [
    `BGP: ${pathText(best)}, the best of ${report.paths.length}`,
    ...(programming?.end === undefined
      ? []
      : [
          `packets go to ${programming.end}, whose block it is: ${best.nextHop ?? "the next hop"} is no node, and takes nothing out of tunnels`,
        ]),
    ...others.map((path) => `also ${pathText(path)}: ${whyNot(path, best)}`),
    ...kernelSteps(report),
  ];
  if (programming?.kind === "skip") {
    const reason = skipText(programming.reason ?? "", programming.by ?? "");
    const hasRoute = kernel.length > 0;
    return { node, hasRoute, verdict: `BGP has ${prefix}, but does not program it: ${reason}`, steps };
  }
  if (kernelFailure !== undefined) {
    return {
      node,
      hasRoute: false,
      verdict: `BGP has ${prefix}, but the kernel does not: ${kernelFailure}`,
      steps,
    };
  }
  if (kernel.length === 0) {
    return { node, hasRoute: false, verdict: `BGP has ${prefix}, but it is not in the kernel`, steps };
  }
  const verdict = kernel.map(({ text }) => text).join("; ");
  if (programming?.kind !== "direct" || !isUnheardOnTheWay(intents.get(node), best)) {
    return { node, hasRoute: true, verdict, steps };
  }
  const hop = best.nextHop ?? "";
  return {
    node,
    hasRoute: true,
    verdict: `${verdict}, where the routers on the way to ${hop} must have ${prefix} too`,
    steps: [
      ...steps,
      `${hop} is in another subnet, and the session with it passes the routers between by: let them peer with the nodes, or wrap the packets (ipipMode: CrossSubnet)`,
    ],
  };
}

/** A node told it to a node in another subnet: the routers between see only the packets. */
function isUnheardOnTheWay(intent: NodeIntent | undefined, { peer, nextHop }: PathReport): boolean {
  const address = nextHop === undefined ? undefined : IpAddress.parse(nextHop);
  const subnet =
    address === undefined ? undefined : intent?.kernel.programming.subnets.get(IpAddress.family(address));
  const isNode = intent?.bgp?.peers.find(({ name }) => name === peer)?.node !== undefined;
  return address !== undefined && subnet !== undefined && isNode && !Prefix.contains(subnet, address);
}

/** The kernel has it from BGP, and not from the daemon's own speaker. */
function kernelStory(report: RouteReport): NodeStory {
  return {
    node: report.node,
    hasRoute: true,
    verdict: report.kernel.map(({ text }) => text).join("; "),
    steps: [
      `BIRD speaks BGP on this node: birdcl show route for ${report.prefix ?? ""} all`,
      ...kernelSteps(report),
    ],
  };
}

/** Paths came, and none of them can be used. */
function unusableStory(report: RouteReport): NodeStory {
  const [first] = report.paths;
  const reason = first === undefined ? "" : whyUnusable(first);
  return {
    node: report.node,
    hasRoute: false,
    verdict: `${report.prefix ?? ""} came, but cannot be used: ${reason}`,
    steps: [...report.paths.map((path) => `${pathText(path)}: ${whyUnusable(path)}`), ...kernelSteps(report)],
  };
}

/** Nothing came: look for where it stopped. */
function absentStory(facts: RouteFacts, node: string): NodeStory {
  const { verdict, steps } = whyAbsent(facts, node);
  return { node, hasRoute: false, verdict, steps: [...steps, ...kernelSteps(facts.reports.get(node))] };
}

type Absence = Pick<NodeStory, "verdict" | "steps">;

function whyAbsent({ target, intents, reports, tunnels }: RouteFacts, node: string): Absence {
  const { home } = target;
  if (home === undefined) {
    const where = target.pool === undefined ? "it is in no IP pool" : "no node has a block with it";
    const claim = "a node claims a block when its first pod takes an address, and announces nothing before";
    return { verdict: `nobody announces it: ${where}`, steps: target.pool === undefined ? [] : [claim] };
  }
  const skipped = whySkipped(target, intents, node);
  if (skipped !== undefined) {
    return {
      verdict: `${target.text} gets no route from BGP here: ${skipped}`,
      steps: (tunnels?.get(node)?.problems ?? []).map(({ about, message }) => `${about} ${message}`),
    };
  }
  const holders = [...reports.values()].filter(hasIt);
  if (holders.length === 0) {
    const verdict = reports.has(home)
      ? `its home ${home} does not announce it`
      : `its home ${home} does not answer, and no other node has the route`;
    return { verdict, steps: [] };
  }
  const own = intents.get(node)?.bgp?.peers ?? [];
  if (own.length === 0) {
    const verdict =
      "this node has no BGP session: the mesh is off, or it is left out, and no BGPPeer selects it";
    return { verdict, steps: [] };
  }
  const neighbours = holders.flatMap((report) => {
    const peer = peerTowards(intents, report.node, node);
    const verdict = report.exports.find((one) => one.peer === peer?.name);
    return peer === undefined || verdict === undefined ? [] : [{ report, verdict }];
  });
  // One that tells it, and of the others the home, says more than those that only pass it on.
  neighbours.sort(
    (a, b) =>
      Number(b.verdict.isTold) - Number(a.verdict.isTold) ||
      Number(b.report.node === home) - Number(a.report.node === home),
  );
  return neighbours.length === 0 ? noNeighbourHasIt(holders, own) : neighboursHaveIt(neighbours);
}

/** What BGP leaves to others is missing for this reason, whatever came: of a BIRD only the kernel shows what it has. */
function whySkipped(
  { prefix, home }: RouteTarget,
  intents: RouteFacts["intents"],
  node: string,
): string | undefined {
  const programming = intents.get(node)?.kernel.programming;
  const nextHop =
    home === undefined ? undefined : intents.get(home)?.bgp?.addresses.get(IpAddress.family(prefix.address));
  if (programming === undefined || nextHop === undefined) return undefined;
  const verdict = decideProgramming(programming, prefix, nextHop);
  return verdict.kind === "skip" ? skipText(verdict.reason, verdict.by) : undefined;
}

function hasIt(report: RouteReport): boolean {
  return (
    report.origin !== undefined ||
    report.paths.some(({ isBest }) => isBest) ||
    (report.prefix !== undefined && report.kernel.length > 0)
  );
}

function noNeighbourHasIt(holders: readonly RouteReport[], own: readonly PeerIntent[]): Absence {
  const outside = own.filter((peer) => peer.node === undefined);
  if (outside.length === 0) {
    const names = holders.map((report) => report.node).join(", ");
    return { verdict: `it has no session with a node that has the route (${names})`, steps: [] };
  }
  return {
    verdict: "its neighbours outside the cluster do not tell it",
    steps: outside.map(
      ({ name, remoteAsNumber }) =>
        `look on ${name}, AS ${remoteAsNumber}: whether it has the route, and passes it on`,
    ),
  };
}

function neighboursHaveIt(
  neighbours: readonly { readonly report: RouteReport; readonly verdict: ExportReport }[],
): Absence {
  const [first] = neighbours;
  return {
    verdict:
      first?.verdict.isTold === true
        ? `${first.report.node} tells it, but it did not come`
        : `${first?.report.node ?? ""} does not tell it: ${first?.verdict.because ?? ""}`,
    steps: neighbours.map(({ report, verdict }) =>
      verdict.isTold
        ? `${report.node} tells it`
        : `${report.node} has it and does not tell it: ${verdict.because}`,
    ),
  };
}

/** The session of `from` that leads to the node `to`. */
function peerTowards(
  intents: ReadonlyMap<string, NodeIntent>,
  from: string,
  to: string,
): PeerIntent | undefined {
  return intents.get(from)?.bgp?.peers.find((peer) => peer.node === to);
}

function kernelSteps(report: RouteReport | undefined): readonly string[] {
  if (report === undefined) return [];
  const { kernel, lookup, kernelFailure } = report;
  return [
    ...kernel.map(({ text }) => `kernel: ${text}`),
    ...(kernelFailure === undefined ? [] : [`kernel: ${kernelFailure}`]),
    `a packet would go: ${lookup ?? "nowhere (no route)"}`,
  ];
}

function pathText(path: PathReport): string {
  const { peer, nextHop, asPath, originatorId, isStale } = path;
  return [
    peer === undefined ? "this node's own" : `from ${peer}`,
    ...(nextHop === undefined ? [] : [`next hop ${nextHop}`]),
    ...(asPath === "" ? [] : [`AS path ${asPath}`]),
    ...(originatorId === undefined ? [] : [`reflected for ${originatorId}`]),
    ...(isStale ? ["stale: its session is down"] : []),
  ].join(", ");
}

function whyUnusable({ state, policy, asPath, nextHop }: PathReport): string {
  switch (state) {
    case "filtered":
      return policy?.by ?? "an import policy refuses it";
    case "looped":
      return `loop: this node's AS or identifier is in it already (AS path ${asPath}; numAllowedLocalASNumbers allows some)`;
    case "leaked":
      return "leaked: it is marked for customers only, and did not come from above (RFC 9234)";
    case "unreachable":
      return `its next hop ${nextHop ?? ""} cannot be reached`;
    case "valid":
      return "it is not the best";
  }
}

function whyNot(path: PathReport, best: PathReport): string {
  if (path.state !== "valid") return whyUnusable(path);
  if ((path.localPref ?? 100) < (best.localPref ?? 100)) return "a lower local preference";
  if (path.asPath.length > best.asPath.length) return "a longer AS path";
  return "as good, but later in the order of decision";
}

function skipText(reason: string, by: string): string {
  switch (reason) {
    case "service-range":
      return `it is in the service range ${by}, which is kube-proxy's`;
    case "vxlan-pool":
      return `IPPool(${by}) uses VXLAN, whose routes do not come from BGP`;
    case "ipip-over-ipv6":
      return `IPPool(${by}) uses IP-in-IP, which no IPv6 next hop can be reached by`;
    default:
      return `programClusterRoutes leaves the routes of IPPool(${by}) to others`;
  }
}
