/** Networks in trouble and at peace by turns: checked at every step, and against a model of their own whenever quiet. */
import { type Dice, type FuzzTarget } from "@caracal/testbed";
import { type Topology, internetTopology, linksOf, pairTopology } from "./topology.ts";
import { World } from "./world.ts";

/** No clock is put back further: that long a timer may be late. */
const backMs = 30_000;
const quietMs = 120_000;

function live(topology: Topology, dice: Dice, show: (input: unknown) => void): void {
  // In a pair a short one costs little time to simulate.
  const holdTimeS = topology.routers.length === 2 && dice.chance(0.5) ? 9 : undefined;
  const world = new World(topology, dice, holdTimeS);
  const log: string[] = [];
  show(log);
  for (const router of topology.routers) originate(world, dice, log, router);
  world.net.run(quietMs);
  world.assertSettled();
  for (let turn = 0; turn < 3; turn += 1) {
    for (let step = 0; step < 12; step += 1) {
      disturb(world, dice, log);
      world.net.run(dice.next() * 4000);
    }
    log.push("peace");
    makePeace(world, dice);
    world.net.run(quietMs + backMs);
    world.assertSettled();
  }
}

type RouterOf = Topology["routers"][number];

function originate(world: World, dice: Dice, log: string[], router: RouterOf): void {
  const number = world.topology.routers.indexOf(router);
  const prefixes = new Set(dice.chance(0.1) ? ["10.99.0.0/16"] : []);
  for (let count = dice.below(3); count > 0; count -= 1)
    prefixes.add(`10.${number + 1}.${dice.below(3)}.0/24`);
  log.push(`${router.name} has ${[...prefixes].join(" ")}`);
  world.originate(router, [...prefixes]);
}

const troubles = [
  "cut",
  "part",
  "join",
  "kill",
  "start",
  "originate",
  "reset",
  "resolve",
  "clock",
  "deny",
  "congest",
  "refresh",
] as const;

function disturb(world: World, dice: Dice, log: string[]): void {
  const { net, topology } = world;
  const link = dice.pick(topology.links);
  const [a, b] = [world.node(link.a), world.node(link.b)];
  const router = dice.pick(topology.routers);
  const node = world.node(router);
  const kind = dice.pick(troubles);
  log.push(`${Math.round(net.now)} ${kind} ${link.a.name}-${link.b.name} ${router.name}`);
  switch (kind) {
    case "cut":
      net.cut(a, b);
      break;
    case "part":
      net.part(a, b);
      break;
    case "join":
      net.join(a, b);
      break;
    case "kill":
      if (node.alive) node.kill();
      break;
    case "start":
      if (!node.alive) node.start(dice.chance(0.7));
      break;
    case "originate":
      originate(world, dice, log, router);
      break;
    case "reset":
      if (node.alive) node.handle({ kind: "reset", peer: dice.pick(node.speaker.peers(node.now)).name });
      break;
    case "resolve":
      if (node.alive) node.handle({ kind: "resolution" });
      break;
    case "clock":
      node.jump(dice.chance(0.5) ? -dice.below(backMs) : dice.below(600_000));
      break;
    case "deny": {
      const prefixes = [...world.origins.values()].flat();
      if (prefixes.length === 0) break;
      const at = dice.pick(linksOf(topology, router));
      world.toggleDenial(router, at, dice.pick(["in", "out"] as const), dice.pick(prefixes));
      break;
    }
    case "refresh":
      if (node.alive)
        node.perform(node.speaker.requestRefresh(dice.pick(node.speaker.peers(node.now)).name, 4) ?? []);
      break;
    case "congest":
      if (node.alive) net.congest(node, dice.chance(0.7));
  }
}

function makePeace(world: World, dice: Dice): void {
  const { net, topology } = world;
  for (const { a, b } of topology.links) net.join(world.node(a), world.node(b));
  for (const router of topology.routers) {
    const node = world.node(router);
    if (!node.alive) node.start(dice.chance(0.7));
    net.congest(node, false);
  }
}

export const targets: readonly FuzzTarget[] = [
  { name: "a pair of speakers", rounds: 25, round: (dice, show) => live(pairTopology(dice), dice, show) },
  {
    name: "a network of 20 speakers",
    rounds: 1,
    round: (dice, show) => live(internetTopology(dice), dice, show),
  },
];
