import {
  findTargets,
  type NodeStory,
  type RouteTarget,
  routeStory,
  type PlannedCluster,
} from "@caracal/insight";
import { Prefix } from "@caracal/net";
import { readRouteReport } from "@caracal/questions";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { didYouMean } from "../did-you-mean.ts";
import { configOption } from "../global-options.ts";
import { askAll, knowCluster } from "../insight/ask-cluster.ts";

/** Why every node, or the one that was named, has or lacks a route. */
interface Explanation {
  readonly target: RouteTarget;
  readonly nodes: readonly NodeStory[];
}

export const explainRoute: Command = {
  name: "explain route",
  operands: "PREFIX|IP|POD|NODE",
  description:
    "Asks every node through the datastore: who owns the block, who announces it to whom, which rule or filter stopped it, and what the kernel has. Exit code 2 if a node that should have the route lacks it.",
  options: [
    { name: "node", value: "NODE", summary: "Only this node's story, step by step." },
    { name: "output", short: "o", value: "FORMAT", choices: ["json"], summary: "json." },
    configOption,
  ],
  run: async (ctx, args) => {
    const [words, ...stray] = args.positional;
    if (words === undefined || stray.length > 0) {
      throw new CliError("usage: explain route PREFIX|IP|POD|NODE [--node NODE]");
    }
    const output = args.text("output");
    if (output !== undefined && output !== "json")
      throw new CliError(`unknown output format: ${output}; it is json`);
    return withConnection(ctx, args, (connection) =>
      explain(ctx, connection, { words, only: args.text("node"), isJson: output === "json" }),
    );
  },
};

interface Request {
  readonly words: string;
  readonly only: string | undefined;
  readonly isJson: boolean;
}

/** A route is missing where it should be. */
const missingExitCode = 2;

async function explain(ctx: CliContext, { store }: Connection, request: Request): Promise<number> {
  const { words, only, isJson } = request;
  const known = await knowCluster(store);
  const nodes = [...known.intents.keys()];
  if (only !== undefined && !nodes.includes(only)) {
    throw new CliError(`there is no node ${only}${didYouMean(only, nodes)}`);
  }
  const lookup = findTargets(known.cluster, words);
  if (lookup.kind === "unknown") {
    throw new CliError(`${words} is no address, prefix, pod or node${didYouMean(words, nodes)}`);
  }
  if (lookup.kind === "no-block") {
    const text = `${lookup.node} owns no block: no pod of it has taken an address, so it announces nothing, and no node has a route to it for pods`;
    ctx.stdout.write(isJson ? `${JSON.stringify({ node: lookup.node, reason: text })}\n` : `${text}\n`);
    return 0;
  }
  const explanations: Explanation[] = [];
  for (const target of lookup.targets) explanations.push(await explainTarget(store, known, target, only));
  ctx.stdout.write(
    isJson
      ? `${JSON.stringify(explanations.map(asJson), null, 2)}\n`
      : explanations.map((one) => textOf(one, only !== undefined)).join("\n"),
  );
  return explanations.some(({ nodes: stories }) => stories.some(({ hasRoute }) => !hasRoute))
    ? missingExitCode
    : 0;
}

async function explainTarget(
  store: Connection["store"],
  { intents, tunnels }: PlannedCluster,
  target: RouteTarget,
  only: string | undefined,
): Promise<Explanation> {
  const question = { method: "route.report", params: { prefix: Prefix.format(target.prefix) } };
  const reports = await askAll(store, [...intents.keys()], question, readRouteReport);
  const asked = only === undefined ? [...intents.keys()] : [only];
  return { target, nodes: asked.map((node) => routeStory({ target, intents, tunnels, reports }, node)) };
}

function textOf({ target, nodes }: Explanation, isDetailed: boolean): string {
  const { text, pod, block, pool } = target;
  const heading = [
    text,
    ...(pod === undefined ? [] : [`  pod ${pod.name} on ${pod.node}`]),
    block === undefined ? "  in no node's block" : `  in the block ${block.cidr} of ${block.owner}`,
    pool === undefined ? "  in no IP pool" : `  in IPPool(${pool.name}) ${pool.cidr}, ${pool.encapsulation}`,
  ];
  const width = Math.max(...nodes.map(({ node }) => node.length));
  const stories = nodes.flatMap(({ node, hasRoute, verdict, steps }) => [
    `${hasRoute ? "ok  " : "NO  "}${node.padEnd(width)}  ${verdict}`,
    ...(isDetailed || !hasRoute ? steps.map((step) => `      ${step}`) : []),
  ]);
  return `${[...heading, "", ...stories].join("\n")}\n`;
}

function asJson({ target, nodes }: Explanation): unknown {
  return { target: { ...target, prefix: Prefix.format(target.prefix) }, nodes };
}
