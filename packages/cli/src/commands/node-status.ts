import { connect } from "node:net";
import { join } from "node:path";
import { BirdClient, BirdUnavailable } from "../bird/bird-client.ts";
import { type PeerRow, peerRows } from "../bird/peer-rows.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { configOption } from "../global-options.ts";
import { boxTable } from "../output/box-table.ts";
import { birdSocketPath, runDirectory } from "../run-directory.ts";

/** A daemon that does not answer so long has other troubles. */
const answerTimeoutMs = 2_000;

export const nodeStatus: Command = {
  name: "node status",
  description:
    "Without options it tells of the node it runs on, as root. With --all or --node it asks the nodes through the datastore, from anywhere.",
  options: [
    {
      name: "all",
      summary: "Every session of the cluster, joined from both ends, with the reason where one is down.",
    },
    { name: "node", value: "NODE", summary: "The same for the sessions of one node." },
    {
      name: "output",
      short: "o",
      value: "FORMAT",
      choices: ["json"],
      summary: "With --all or --node: json.",
    },
    configOption,
  ],
  run: async (ctx, args) => {
    if (args.flag("all") || args.text("node") !== undefined) {
      const { clusterStatus } = await import("./node-status-all.ts");
      return clusterStatus(ctx, args);
    }
    if (args.text("output") !== undefined) throw new CliError("--output needs --all or --node");
    if (ctx.userId !== 0) throw new CliError("Need super user privileges: Operation not permitted");
    const [ipv4, ipv6] = [await readPeers(ctx, 4), await readPeers(ctx, 6)];
    const isBgpRunning = ipv4 !== undefined || ipv6 !== undefined;
    if (!isBgpRunning && !(await answers(join(runDirectory(ctx.env), "control.sock")))) {
      throw new CliError("Calico process is not running.");
    }
    ctx.stdout.write("Calico process is running.\n");
    // A backend without BGP has a daemon, but neither of the two sockets.
    ctx.stdout.write(
      isBgpRunning
        ? `${section(4, ipv4)}${section(6, ipv6)}\n`
        : "\nThe BGP backend process (BIRD) is not running.\n",
    );
    for (const trouble of await readTroubles(ctx)) ctx.stderr.write(`${trouble}\n`);
    return 0;
  },
};

/** What the daemon itself is missing; an older one, or one that is busy, says nothing. */
async function readTroubles(ctx: CliContext): Promise<readonly string[]> {
  const { controlRequest } = await import("@caracal/control");
  const { readNodeStatus } = await import("@caracal/questions");
  const path = join(runDirectory(ctx.env), "control.sock");
  try {
    const answer = await controlRequest(path, "node.status", {}, { timeoutMs: answerTimeoutMs });
    return readNodeStatus(answer)?.troubles ?? [];
  } catch {
    return [];
  }
}

/** The neighbours of one family, or `undefined` when nothing answers for it. */
async function readPeers(ctx: CliContext, family: 4 | 6): Promise<readonly PeerRow[] | undefined> {
  try {
    using client = await BirdClient.connect(birdSocketPath(ctx.env, family));
    const reply = await client.ask("show protocols");
    return peerRows(
      reply.map(({ text }) => text),
      family,
    );
  } catch (error) {
    if (error instanceof BirdUnavailable) return undefined;
    throw error;
  }
}

function section(family: 4 | 6, peers: readonly PeerRow[] | undefined): string {
  if (peers === undefined) {
    const [process, suffix] = family === 4 ? ["bird", "v4"] : ["bird6", "v6"];
    return `\nINFO: BIRD${suffix} process: '${process}' is not running.\n`;
  }
  const title = `\nIPv${family} BGP status\n`;
  if (peers.length === 0) return `${title}No IPv${family} peers found.\n`;
  const rows = peers.map(({ address, type, state, since, info }) => [address, type, state, since, info]);
  return `${title}${boxTable(["PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO"], rows)}`;
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
