import type { SeenFrame } from "@caracal/forwarding";
import type { TraceHop, TraceVerdict, Walk } from "./trace-result.ts";
import { type PlaceName, placeKey, placeText } from "./world.ts";

/** A real packet where it was seen; frames of answers and errors too. */
export interface LiveSighting {
  readonly place: PlaceName;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly frame: SeenFrame;
}

/** A place on the way where the packet should have been seen. */
export interface LivePoint {
  readonly place: PlaceName;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly seen: "yes" | "no" | "not watched";
  /** As it was there: `10.0.0.21 > 30.0.0.23 (10.244.1.1 > 10.244.2.1)`. */
  readonly headers?: string;
}

/** What became of a real packet, beside what was expected of it. */
export interface LiveResult {
  readonly kind: "arrived" | "lost" | "unknown";
  readonly text: string;
  /** It went as expected, to its end or to where it is lost. */
  readonly isAsExpected: boolean;
  readonly isAnswered: boolean;
  readonly points: readonly LivePoint[];
  /** Where it was seen too, off the expected way. */
  readonly strays: readonly string[];
  /** What routers and hosts said about it. */
  readonly errors: readonly string[];
  /** Places that could not be watched, and why. */
  readonly unwatched: readonly string[];
}

export interface LiveObservation {
  readonly sightings: readonly LiveSighting[];
  readonly unwatched: readonly { readonly place: PlaceName; readonly because: string }[];
  /** Why the packet could not even be sent. */
  readonly sendFailure?: string;
}

/** Holds what happened against what was expected, and names the hop where they part. */
export function compareLive(walk: Walk, goal: PlaceName | undefined, observed: LiveObservation): LiveResult {
  const unwatched = observed.unwatched.map(({ place, because }) => `${placeText(place)}: ${because}`);
  const requests = observed.sightings.filter(({ frame }) => frame.what === "request");
  const points = walk.hops.flatMap(pointsOf).map((point) => judged(point, observed, requests));
  const [start] = walk.hops;
  const isAnswered = observed.sightings.some(
    ({ place, direction, frame }) =>
      (frame.what === "reply" || isPortError(frame)) &&
      direction === "in" &&
      start !== undefined &&
      placeKey(place) === placeKey(start.place),
  );
  const shared = {
    isAnswered,
    points,
    strays: straysOf(walk, requests),
    errors: errorsOf(observed.sightings),
    unwatched,
  };
  if (observed.sendFailure !== undefined) {
    const isAsExpected = walk.verdict.kind === "lost" && walk.hops.length <= 1;
    return { kind: "lost", text: `it could not be sent: ${observed.sendFailure}`, isAsExpected, ...shared };
  }
  return { ...conclusion(walk, goal, { requests, points, isAnswered }), ...shared };
}

interface Evidence {
  readonly requests: readonly LiveSighting[];
  readonly points: readonly LivePoint[];
  readonly isAnswered: boolean;
}

function conclusion(
  { verdict }: Walk,
  goal: PlaceName | undefined,
  { requests, points, isAnswered }: Evidence,
): Pick<LiveResult, "kind" | "text" | "isAsExpected"> {
  const isThere =
    goal !== undefined &&
    requests.some(({ place, direction }) => direction === "in" && placeKey(place) === placeKey(goal));
  if (isThere || isAnswered) {
    const where = goal === undefined ? "it arrived" : `it arrived at ${placeText(goal)}`;
    if (verdict.kind === "delivered")
      return { kind: "arrived", isAsExpected: true, text: `${where}, as expected` };
    return { kind: "arrived", isAsExpected: verdict.kind !== "lost", text: `${where}${doubt(verdict)}` };
  }
  const lastSeen = points.findLastIndex(({ seen }) => seen === "yes");
  const next = points.slice(lastSeen + 1).find(({ seen }) => seen === "no");
  const text = whereLost(points[lastSeen], next);
  if (next !== undefined) return { kind: "lost", isAsExpected: false, text: `${text}${doubt(verdict)}` };
  if (verdict.kind === "lost") return { kind: "lost", isAsExpected: true, text: `${text}, as expected` };
  return { kind: "unknown", isAsExpected: verdict.kind === "out-of-sight", text };
}

function doubt(verdict: TraceVerdict): string {
  if (verdict.kind === "delivered") return ", though its way is open by all that the kernels' tables say";
  return verdict.kind === "lost" ? `, though it was expected to be lost at ${placeText(verdict.at)}` : "";
}

/** The last point where it was, and the first where it should have been next. */
function whereLost(last: LivePoint | undefined, next: LivePoint | undefined): string {
  if (last === undefined) {
    return next === undefined
      ? "nothing on its way is watched"
      : `lost at ${placeText(next.place)}: it never went out by ${next.device}`;
  }
  const was = last.direction === "in" ? `came in by ${last.device}` : `went out by ${last.device}`;
  if (next === undefined) {
    return last.direction === "in"
      ? `lost at ${placeText(last.place)}: it ${was}, and was seen nowhere after`
      : `it ${was} of ${placeText(last.place)}, and nobody is watched after that`;
  }
  if (placeKey(last.place) === placeKey(next.place)) {
    return `lost at ${placeText(last.place)}: it ${was}, but did not ${next.direction === "in" ? "come in" : "go out"} by ${next.device}`;
  }
  return `lost between ${placeText(last.place)} and ${placeText(next.place)}: it ${was}, but did not come in by ${next.device}`;
}

type Expected = Pick<LivePoint, "place" | "device" | "direction">;

function pointsOf({ place, in: input, steps, out }: TraceHop): readonly Expected[] {
  if (place.kind === "outside") return [];
  return [
    ...(input === undefined ? [] : [{ place, device: input.device, direction: "in" as const }]),
    ...steps.flatMap((step): readonly Expected[] => {
      // What a place sends to itself goes out by its loopback and comes in again.
      if (step.kind === "deliver" && input === undefined && step.device !== undefined) {
        const { device } = step;
        return [
          { place, device, direction: "out" },
          { place, device, direction: "in" },
        ];
      }
      if (step.kind === "decapsulate") return [{ place, device: step.device, direction: "in" }];
      return step.kind === "encapsulate" ? [{ place, device: step.device, direction: "out" }] : [];
    }),
    ...(out === undefined ? [] : [{ place, device: out.device, direction: "out" as const }]),
  ];
}

function judged(
  point: Expected,
  { unwatched }: LiveObservation,
  requests: readonly LiveSighting[],
): LivePoint {
  if (unwatched.some(({ place }) => placeKey(place) === placeKey(point.place)))
    return { ...point, seen: "not watched" };
  const sighting = requests.find((one) => isAt(one, point));
  return sighting === undefined
    ? { ...point, seen: "no" }
    : { ...point, seen: "yes", headers: headersText(sighting.frame) };
}

function isAt(one: LiveSighting, { place, device, direction }: Expected): boolean {
  return placeKey(one.place) === placeKey(place) && one.device === device && one.direction === direction;
}

function headersText({ headers }: SeenFrame): string {
  const [first, ...inner] = headers.map(
    ({ source, destination, vni }) =>
      `${source} > ${destination}${vni === undefined ? "" : ` VXLAN id ${vni}`}`,
  );
  return [first ?? "", ...inner.map((text) => `(${text})`)].join(" ");
}

function straysOf({ hops }: Walk, requests: readonly LiveSighting[]): readonly string[] {
  const expected = hops.flatMap(pointsOf);
  const strays = requests.filter((one) => !expected.some((point) => isAt(one, point)));
  return [
    ...new Set(
      strays.map(({ place, device, direction }) => `${placeText(place)}, ${direction} by ${device}`),
    ),
  ];
}

/** A closed port is an answer: the packet was there. */
function isPortError({ error, headers }: SeenFrame): boolean {
  const isIpv4 = headers.at(-1)?.protocol === icmp;
  return (
    error !== undefined &&
    (isIpv4 ? error.type === 3 && error.code === 3 : error.type === 1 && error.code === 4)
  );
}

const icmp = 1;
/** RFC 792, RFC 1191, RFC 1812 §5.2.7. */
const icmpErrors: Readonly<Record<string, string>> = {
  "3/0": "network unreachable",
  "3/1": "host unreachable",
  "3/2": "protocol unreachable",
  "3/3": "port unreachable",
  "3/4": "fragmentation needed",
  "3/9": "network prohibited",
  "3/10": "host prohibited",
  "3/13": "prohibited by a filter",
  "11/0": "time exceeded: a loop, most likely",
};
/** RFC 4443 §3. */
const icmpv6Errors: Readonly<Record<string, string>> = {
  "1/0": "no route",
  "1/1": "prohibited by a filter",
  "1/3": "address unreachable",
  "1/4": "port unreachable",
  "2/0": "packet too big",
  "3/0": "hop limit exceeded: a loop, most likely",
};

function errorsOf(sightings: readonly LiveSighting[]): readonly string[] {
  const texts = sightings.flatMap(({ frame: { error, headers } }) => {
    const header = headers.at(-1);
    if (error === undefined || header === undefined) return [];
    const code = `${error.type}/${error.code}`;
    const words = (header.protocol === icmp ? icmpErrors : icmpv6Errors)[code] ?? `ICMP error ${code}`;
    return [`${header.source} answered: ${words}`];
  });
  return [...new Set(texts)];
}
