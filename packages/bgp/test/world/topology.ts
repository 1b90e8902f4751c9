import { type Dice } from "@caracal/testbed";

/** What a neighbouring AS is to ours. */
export type Relation = "customer" | "peer" | "provider";

/** A router of a world, as plain data: no speaker stands behind it here. */
export interface Router {
  readonly name: string;
  readonly address: string;
  readonly asn: number;
}

/** A session between two routers. */
export type Link =
  | {
      readonly kind: "internal";
      readonly a: Router;
      readonly b: Router;
      /** b is a reflector's client of a. */ readonly client: boolean;
    }
  /** `bIs`: what b's AS is to a's. */
  | { readonly kind: "external"; readonly a: Router; readonly b: Router; readonly bIs: Relation };

export interface Topology {
  readonly routers: readonly Router[];
  readonly links: readonly Link[];
}

const opposite = { customer: "provider", provider: "customer", peer: "peer" } as const;

/** What the AS of the router at the other end is to this one's; `undefined` inside an AS. */
export function relationSeenBy(router: Router, link: Link): Relation | undefined {
  if (link.kind === "internal") return undefined;
  return link.a === router ? link.bIs : opposite[link.bIs];
}

export function otherEnd(router: Router, { a, b }: Link): Router {
  return a === router ? b : a;
}

export function linksOf({ links }: Topology, router: Router): Link[] {
  return links.filter((link) => link.a === router || link.b === router);
}

function routersOf(asn: number, first: number, count: number): Router[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    return { name: `n${number}`, address: `10.0.0.${number + 1}`, asn };
  });
}

/** Two routers: of one AS, or of two. */
export function pairTopology(dice: Dice): Topology {
  const isInternal = dice.chance(0.5);
  const [a, b] = [...routersOf(65000, 0, 1), ...routersOf(isInternal ? 65000 : 65001, 1, 1)];
  if (a === undefined || b === undefined) throw new RangeError("two routers");
  const link: Link = isInternal
    ? { kind: "internal", a, b, client: dice.chance(0.5) }
    : { kind: "external", a, b, bIs: dice.pick(["customer", "peer", "provider"] as const) };
  return { routers: [a, b], links: [link] };
}

/**
 * Twenty routers: an AS of two reflectors and six clients, one of three routers in a mesh, one of two, and seven of one.
 * Each AS buys from one or two before it, and some are peers: so no AS is its own customer by any way.
 */
export function internetTopology(dice: Dice): Topology {
  const core = routersOf(65000, 0, 8);
  const mesh = routersOf(65010, 8, 3);
  const two = routersOf(65020, 11, 2);
  const singles = Array.from({ length: 7 }, (_, index) => routersOf(65100 + index, 13 + index, 1));
  const [r0, r1, ...clients] = core;
  if (r0 === undefined || r1 === undefined) throw new RangeError("two reflectors");
  const links: Link[] = [{ kind: "internal", a: r0, b: r1, client: false }];
  for (const reflector of [r0, r1]) {
    for (const client of clients) links.push({ kind: "internal", a: reflector, b: client, client: true });
  }
  for (const system of [mesh, two]) {
    for (const [index, b] of system.entries()) {
      for (const a of system.slice(0, index)) links.push({ kind: "internal", a, b, client: false });
    }
  }
  const systems = [core, mesh, two, ...singles];
  for (const [rank, system] of systems.entries()) {
    for (const provider of providers(dice, systems.slice(0, rank))) {
      join(dice, links, provider, system, "customer");
      if (dice.chance(0.3)) join(dice, links, provider, system, "customer");
    }
    const other = dice.pick(systems);
    if (dice.chance(0.4) && other !== system && !areJoined(links, other, system))
      join(dice, links, other, system, "peer");
  }
  return { routers: systems.flat(), links };
}

function providers(dice: Dice, before: readonly (readonly Router[])[]): (readonly Router[])[] {
  if (before.length === 0) return [];
  return [...new Set([dice.pick(before), ...(dice.chance(0.5) ? [dice.pick(before)] : [])])];
}

/** A link between any router of the one and any of the other, unless there is one. */
function join(
  dice: Dice,
  links: Link[],
  from: readonly Router[],
  to: readonly Router[],
  bIs: Relation,
): void {
  const [a, b] = [dice.pick(from), dice.pick(to)];
  if (!areJoined(links, [a], [b])) links.push({ kind: "external", a, b, bIs });
}

function areJoined(links: readonly Link[], some: readonly Router[], others: readonly Router[]): boolean {
  return links.some(
    ({ a, b }) => (some.includes(a) && others.includes(b)) || (some.includes(b) && others.includes(a)),
  );
}
