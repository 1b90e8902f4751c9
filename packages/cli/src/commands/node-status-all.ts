import { clusterSessions, sessionVerdict } from "@caracal/insight";
import { type NodeStatus, readNodeStatus } from "@caracal/questions";
import { CliError } from "../cli-error.ts";
import type { Arguments } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { didYouMean } from "../did-you-mean.ts";
import { askAll, knowCluster } from "../insight/ask-cluster.ts";
import { sessionJson, sessionTable } from "../insight/session-table.ts";

/** `node status --all` and `--node N`: every session of the cluster, or of one node, joined from both ends. */
export async function clusterStatus(ctx: CliContext, args: Arguments): Promise<number> {
  const only = args.text("node");
  const output = args.text("output");
  if (output !== undefined && output !== "json") {
    throw new CliError(`unknown output format: ${output}; node status --all writes a table, or json`);
  }
  return withConnection(ctx, args, async ({ store }) => {
    const { cluster, intents } = await knowCluster(store);
    const nodes = [...intents.keys()];
    if (only !== undefined && !intents.has(only)) {
      throw new CliError(`there is no node ${only}${didYouMean(only, nodes)}`);
    }
    const question = { method: "node.status", params: {} };
    const statuses = await askAll(store, nodes, question, readNodeStatus);
    const sessions = clusterSessions(cluster, intents, statuses)
      .filter(({ ends }) => only === undefined || ends.some(({ node }) => node === only))
      .map((session) => ({ session, verdict: sessionVerdict(session) }));
    const silent = nodes.filter((node) => !statuses.has(node) && (only === undefined || node === only));
    // What the resources show by themselves, and what the daemons found: a secret that is missing, say.
    const problems = [...intents.values(), ...statuses.values()].flatMap((one) => one.problems);
    const packets = packetsOf(statuses, only);
    if (output === "json") {
      const report = { sessions: sessionJson(sessions), packets, silent, problems: distinct(problems) };
      ctx.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return 0;
    }
    ctx.stdout.write(sessions.length === 0 ? "No BGP sessions.\n" : sessionTable(sessions, ctx.now()));
    if (only !== undefined) ctx.stdout.write(packetText(packets[only]));
    if (silent.length > 0) ctx.stderr.write(`no answer from: ${silent.join(", ")}\n`);
    for (const { about, message } of distinct(problems)) ctx.stderr.write(`${about} ${message}\n`);
    return 0;
  });
}

type Packets = NonNullable<NodeStatus["packets"]>;

/** What the nodes that answered do to packets. */
function packetsOf(
  statuses: ReadonlyMap<string, NodeStatus>,
  only: string | undefined,
): Readonly<Record<string, Packets>> {
  const entries = [...statuses].flatMap(([node, { packets }]) =>
    packets === undefined || (only !== undefined && node !== only) ? [] : [[node, packets] as const],
  );
  return Object.fromEntries(entries);
}

/** NAT and tunnel protection of one node, a rule a line. */
function packetText(packets: Packets | undefined): string {
  if (packets === undefined) return "";
  const { isInSync, repairs, rules } = packets;
  const state = `${isInSync ? "in sync" : "not in sync"}, put right ${repairs} time(s)`;
  return [`\nnftables: ${state}`, ...rules.map((rule) => `  ${rule}`), ""].join("\n");
}

interface Problem {
  readonly about: string;
  readonly message: string;
}

/** Nodes see the same resources, so most have the same problems. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((one) => [`${one.about} ${one.message}`, one])).values()];
}
