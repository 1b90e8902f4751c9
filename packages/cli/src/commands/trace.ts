import { minProbeBytes } from "@caracal/forwarding";
import {
  commonFamily,
  findEnd,
  type PacketSpec,
  type Place,
  readCluster,
  recordedPlaces,
  type TraceEnd,
  type ClusterSnapshot,
  type TraceRequest,
} from "@caracal/insight";
import { IpAddress } from "@caracal/net";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { didYouMean } from "../did-you-mean.ts";
import { configOption } from "../global-options.ts";
import type { AnswerEnd, TraceAnswer } from "../trace/trace-answer.ts";
import { traceCluster, type TraceSources } from "../trace/trace-cluster.ts";
import { dotTrace, drawTrace, mermaidTrace } from "../trace/trace-drawing.ts";
import { traceJson } from "../trace/trace-json.ts";
import { traceText } from "../trace/trace-text.ts";

const usage = "usage: trace SRC DST; each is POD, NAMESPACE/POD, NODE or an address";
const formats = ["text", "json", "drawing", "mermaid", "dot"] as const;
const protocols = ["icmp", "tcp", "udp"] as const;

/** The packet does not arrive. */
const lostExitCode = 1;
/** Nobody can say whether it arrives. */
const unknownExitCode = 2;

export const trace: Command = {
  name: "trace",
  operands: "SRC DST",
  description: [
    "SRC and DST are each POD, NAMESPACE/POD, NODE (or node/NODE) or an address; DST may be any address.",
    "Every daemon on the way tells its kernel's state through the datastore; in a lab the switches are looked into too.",
    "Exit code 1 when the packet is lost, 2 when nobody can say or it depends on the flow.",
  ].join("\n"),
  options: [
    {
      name: "output",
      short: "o",
      value: "FORMAT",
      choices: formats,
      summary: "How to print it. (default text)",
    },
    {
      name: "size",
      value: "BYTES",
      summary: "Of the packet, from its IP header on; it may not be fragmented. (default 84)",
    },
    {
      name: "protocol",
      value: "PROTOCOL",
      choices: protocols,
      summary: "What is sent. (default icmp; with a port tcp)",
    },
    { name: "port", value: "PORT", summary: "Port that TCP or UDP is sent to." },
    { name: "ipv6", summary: "IPv6 where both ends have both families." },
    { name: "live", summary: "Send the packet for real too, watch for it at every hop, and compare." },
    { name: "return", summary: "Show the answer's way hop by hop too." },
    {
      name: "lab",
      value: "NAME",
      summary: "A lab of this machine; without it, the one whose datastore is used.",
    },
    configOption,
  ],
  run: async (ctx, args) => {
    const [from, to, ...stray] = args.positional;
    if (from === undefined || to === undefined || stray.length > 0) throw new CliError(usage);
    const format = choice(args, "output", formats) ?? "text";
    const packet = readPacket(args);
    const { findLabView } = await import("@caracal/lab");
    const lab = findLabView(args.text("lab"), ctx.env);
    const env = args.text("lab") === undefined ? ctx.env : { ...ctx.env, ...lab?.environment };
    return withConnection({ ...ctx, env }, args, async ({ store }) => {
      const answer = await answerOf(
        { store, lab },
        {
          from,
          to,
          packet,
          isIpv6: args.flag("ipv6"),
          isLive: args.flag("live"),
        },
      );
      ctx.stdout.write(printed(answer, format, args.flag("return")));
      return exitCode(answer);
    });
  },
};

interface Wanted {
  readonly from: string;
  readonly to: string;
  readonly packet: PacketSpec;
  readonly isIpv6: boolean;
  readonly isLive: boolean;
}

async function answerOf(
  sources: TraceSources,
  { from, to, packet, isIpv6, isLive }: Wanted,
): Promise<TraceAnswer> {
  const cluster = await readCluster(sources.store);
  const places = recordedPlaces(cluster, sources.lab?.switches ?? []);
  const request = requestOf(endNamed(cluster, places, from), endNamed(cluster, places, to), packet, isIpv6);
  const traced = await traceCluster(sources, places, request);
  if (traced === undefined) throw new CliError(`nobody knows an address of ${to}`);
  const { report, unknown } = traced;
  const live = isLive
    ? await (await import("../trace/live-trace.ts")).liveTrace(sources, traced, request)
    : undefined;
  return {
    from: answerEnd(request.from, request.family, report.forward.source),
    to: answerEnd(request.to, request.family),
    packet,
    report,
    ...(live === undefined ? {} : { live }),
    unknown,
  };
}

function endNamed(cluster: ClusterSnapshot, places: readonly Place[], words: string): TraceEnd {
  const lookup = findEnd(cluster, places, words);
  switch (lookup.kind) {
    case "found":
      return lookup.end;
    case "ambiguous":
      throw new CliError(`${words} may be ${lookup.candidates.join(" or ")}: write it out`);
    case "unknown":
      throw new CliError(`there is no pod or node ${words}${didYouMean(words, lookup.names)}`);
  }
}

function requestOf(from: TraceEnd, to: TraceEnd, packet: PacketSpec, isIpv6: boolean): TraceRequest {
  const { place } = from;
  if (place === undefined) {
    throw new CliError(`${from.text} is no pod's and no node's address: a trace begins at one of them`);
  }
  const family = commonFamily(from, to, isIpv6);
  if (family === undefined)
    throw new CliError(`${from.text} and ${to.text} have no address family in common`);
  return { from: { ...from, place }, to, family, packet };
}

function answerEnd({ text, place, addresses }: TraceEnd, family: 4 | 6, chosen?: IpAddress): AnswerEnd {
  const address = chosen ?? addresses.find((one) => IpAddress.family(one) === family);
  return {
    name: text,
    ...(address === undefined ? {} : { address: IpAddress.format(address) }),
    ...(place === undefined ? {} : { place }),
  };
}

function printed(answer: TraceAnswer, format: (typeof formats)[number], isReturnWhole: boolean): string {
  const { forward } = answer.report;
  switch (format) {
    case "text":
      return traceText(answer, isReturnWhole);
    case "json":
      return `${JSON.stringify(traceJson(answer), null, 2)}\n`;
    case "drawing":
      return drawTrace(forward);
    case "mermaid":
      return mermaidTrace(forward);
    case "dot":
      return dotTrace(forward);
  }
}

function exitCode({ report: { forward, otherWays }, live }: TraceAnswer): number {
  const { verdict } = forward;
  if (live?.kind === "arrived") return 0;
  if (live?.kind === "lost") return lostExitCode;
  if (verdict.kind === "lost") return lostExitCode;
  // Which way a flow takes is its hash's secret.
  if (otherWays.some((other) => other.verdict.kind === "lost")) return unknownExitCode;
  return verdict.kind === "out-of-sight" && !verdict.isExpected ? unknownExitCode : 0;
}

function readPacket(args: Arguments): PacketSpec {
  const port = wholeNumber(args, "port", 1, 65_535);
  const protocol = choice(args, "protocol", protocols) ?? (port === undefined ? "icmp" : "tcp");
  if (protocol === "icmp" && port !== undefined) throw new CliError("ICMP has no ports");
  if (protocol !== "icmp" && port === undefined) throw new CliError(`--protocol ${protocol} needs a --port`);
  const bytes = wholeNumber(args, "size", minProbeBytes, 65_535) ?? 84;
  return { protocol, bytes, ...(port === undefined ? {} : { port }) };
}

function choice<T extends string>(args: Arguments, option: string, values: readonly T[]): T | undefined {
  const text = args.text(option);
  const value = values.find((one) => one === text);
  if (text !== undefined && value === undefined) {
    throw new CliError(`--${option} ${text}: it is one of ${values.join(", ")}`);
  }
  return value;
}

function wholeNumber(args: Arguments, option: string, low: number, high: number): number | undefined {
  const text = args.text(option);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < low || value > high) {
    throw new CliError(`--${option} ${text}: it is a number from ${low} to ${high}`);
  }
  return value;
}
