import type { ResourceClient } from "@caracal/datastore";
import {
  isHarmful,
  missingDirectly,
  missingThrough,
  planReflectors,
  type ReflectorPlan,
  TooManySessionsError,
  type PlannedCluster,
} from "@caracal/insight";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command, Option } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { configOption } from "../global-options.ts";
import { knowCluster } from "../insight/ask-cluster.ts";
import { impactText } from "../insight/impact-text.ts";
import { addPeering, removePeering, setClusterId, setMesh } from "../migration/migration-steps.ts";
import { makeMove, type MoveOutcome, type MoveStep, whatNext } from "../migration/watched-move.ts";
import { foresee } from "./change-impact.ts";

const yesOption: Option = { name: "yes", short: "y", summary: "Do it. Without it, only the plan is shown." };
const defaultClusterId = "1.0.0.1";
/** The move was taken back, or would lose routes. */
const failedExitCode = 2;

export const migrateRouteReflector: Command = {
  name: "migrate route-reflector",
  description:
    "Brings the reflectors' sessions up beside the mesh, compares every node's routes, then drops the mesh; undoes itself if a route would be lost. Interrupted, it goes on when it is run again; migrate mesh takes it back.",
  options: [
    { name: "reflectors", value: "NODE[,NODE…]", summary: "The nodes that are to reflect." },
    { name: "cluster-id", value: "ID", summary: `Their cluster ID. (default ${defaultClusterId})` },
    yesOption,
    configOption,
  ],
  run: async (ctx, args) => {
    const reflectors = (args.text("reflectors") ?? "").split(",").filter((name) => name !== "");
    const clusterId = args.text("cluster-id") ?? defaultClusterId;
    return withConnection(ctx, args, async (connection) => {
      const known = await knowCluster(connection.store);
      const planned = planReflectors(known.cluster, reflectors, clusterId);
      if (planned.kind === "refused") throw new CliError(planned.reason);
      const { plan } = planned;
      return move(ctx, args, connection, {
        steps: toReflectors(connection.resources, plan),
        foreseen: async ({ resources }) => {
          for (const step of toReflectors(resources, plan)) await step.apply();
        },
      });
    });
  },
};

export const migrateMesh: Command = {
  name: "migrate mesh",
  description:
    "Brings the mesh up beside the reflectors, compares every node's routes, then makes the reflectors plain nodes again. Takes back a migrate route-reflector at any point of it.",
  options: [yesOption, configOption],
  run: async (ctx, args) =>
    withConnection(ctx, args, async (connection) => {
      const known = await knowCluster(connection.store);
      return move(ctx, args, connection, {
        steps: toMesh(connection.resources, known),
        foreseen: async ({ resources }) => {
          for (const step of toMesh(resources, known)) await step.apply();
        },
      });
    }),
};

function toReflectors(resources: ResourceClient, plan: ReflectorPlan): readonly MoveStep[] {
  const { reflectors, clusterId } = plan;
  return [
    {
      title: `label ${reflectors.join(", ")}, and add BGPPeer(${plan.peer.metadata.name})`,
      apply: () => addPeering(resources, plan),
      undo: () => removePeering(resources),
      missing: () => [],
    },
    ...reflectors.map((name): MoveStep => ({
      title: `make ${name} a route reflector (cluster ID ${clusterId})`,
      apply: () => setClusterId(resources, name, clusterId),
      undo: () => setClusterId(resources, name, undefined),
      missing: ({ intents }, tables) => missingThrough(intents, tables, [name]),
    })),
    {
      title: "switch the node-to-node mesh off",
      apply: () => setMesh(resources, false),
      undo: () => setMesh(resources, true),
      missing: ({ intents }, tables) => missingThrough(intents, tables, reflectors),
    },
  ];
}

function toMesh(resources: ResourceClient, { cluster, intents }: PlannedCluster): readonly MoveStep[] {
  const clusterIds = cluster.resources.nodes.flatMap(({ metadata, spec }) => {
    const id = spec.bgp?.routeReflectorClusterID;
    return id === undefined ? [] : [{ name: metadata.name, id }];
  });
  const plain = [...intents.keys()].filter((node) => !clusterIds.some(({ name }) => name === node));
  const meshed = new Set(plain);
  return [
    {
      title: "switch the node-to-node mesh on",
      apply: () => setMesh(resources, true),
      undo: () => setMesh(resources, false),
      missing: (known, tables) => missingDirectly(known.intents, tables, plain),
    },
    ...clusterIds.map(({ name, id }): MoveStep => ({
      title: `make ${name} a plain node again`,
      apply: () => setClusterId(resources, name, undefined),
      undo: () => setClusterId(resources, name, id),
      missing: (known, tables) => {
        meshed.add(name);
        return missingDirectly(known.intents, tables, [...meshed]);
      },
    })),
    {
      title: "remove the peering with the reflectors",
      apply: () => removePeering(resources),
      undo: async () => undefined,
      missing: (known, tables) => missingDirectly(known.intents, tables, [...meshed]),
    },
  ];
}

interface Move {
  readonly steps: readonly MoveStep[];
  /** Makes the whole move in a copy of the resources. */
  readonly foreseen: (copy: Connection) => Promise<void>;
}

async function move(
  ctx: CliContext,
  args: Arguments,
  connection: Connection,
  { steps, foreseen }: Move,
): Promise<number> {
  const forecast = await forecastOf(ctx, connection, foreseen);
  ctx.stdout.write(steps.map(({ title }, index) => `${index + 1}. ${title}\n`).join(""));
  if (forecast.isHarmful) {
    ctx.stdout.write(`\n${forecast.text}`);
    ctx.stderr.write("routes would be lost: nothing was changed\n");
    return failedExitCode;
  }
  if (!args.flag("yes")) {
    ctx.stdout.write(`\n${forecast.text}\nrun it again with --yes to do it\n`);
    return 0;
  }
  const outcome = await makeMove(ctx, connection.store, steps);
  return tell(ctx, outcome);
}

/** A mesh that is too large to be run in memory is what reflectors are for: the move itself compares what the nodes have. */
async function forecastOf(
  ctx: CliContext,
  { store }: Connection,
  foreseen: Move["foreseen"],
): Promise<{ readonly text: string; readonly isHarmful: boolean }> {
  try {
    const { impact, nodeCount } = await foresee(ctx, store, foreseen);
    return { text: impactText(impact, nodeCount), isHarmful: isHarmful(impact) };
  } catch (error) {
    if (!(error instanceof CliError && error.cause instanceof TooManySessionsError)) throw error;
    const text = `${error.message}; every step is still compared with what the nodes have\n`;
    return { text, isHarmful: false };
  }
}

/** Longer lists are cut. */
const maxLines = 20;

function tell(ctx: CliContext, outcome: MoveOutcome): number {
  switch (outcome.kind) {
    case "done":
      ctx.stdout.write("done: no node lost a route\n");
      return 0;
    case "interrupted":
      ctx.stderr.write(`interrupted at: ${outcome.step}; ${whatNext}\n`);
      return 1;
    case "undone": {
      const lines = outcome.missing.slice(0, maxLines).map((line) => `  ${line}\n`);
      ctx.stderr.write(`undone: "${outcome.step}" did not come to hold:\n${lines.join("")}`);
      return failedExitCode;
    }
  }
}
