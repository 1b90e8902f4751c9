import type { PacketIntent, TunnelGuard } from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";
import type { PacketReport } from "@caracal/questions";
import type { PacketFilter } from "./packet-filter.ts";

/** What the node does to packets, and whether its kernel does it. */
export function packetReport({ intents, status }: Pick<PacketFilter, "intents" | "status">): PacketReport {
  const failure = status.find((one) => one.failure !== undefined)?.failure;
  return {
    isInSync: status.every(({ isReady }) => isReady),
    ...(failure === undefined ? {} : { failure: failure.detail }),
    repairs: status.reduce((sum, { repairCount }) => sum + repairCount, 0),
    rules: intents.flatMap(rulesOf),
  };
}

/** A line a rule, for people. */
function rulesOf({ family, outgoing, floating, guards, serviceLoops }: PacketIntent): readonly string[] {
  const lines: string[] = [];
  if (outgoing !== undefined) {
    const { sources, pools, hosts, ports, address, interfaceName } = outgoing;
    const becomes = address === undefined ? "the node's address" : IpAddress.format(address);
    lines.push(
      [
        `natOutgoing ${list(sources)} to ${becomes}`,
        ...(ports === undefined ? [] : [`ports ${ports.first}-${ports.last}`]),
        ...(interfaceName === undefined ? [] : [`by ${interfaceName}`]),
        `except to ${list(pools)}`,
        ...(hosts === undefined ? [] : [`and ${hosts.length} hosts`]),
      ].join(", "),
    );
  }
  for (const { external, internal, interfaceName } of floating) {
    lines.push(`floating ${IpAddress.format(external)} to ${IpAddress.format(internal)} by ${interfaceName}`);
  }
  lines.push(...guards.map(guardLine));
  if (serviceLoops !== undefined)
    lines.push(`${serviceLoops.action} what is for untranslated services ${list(serviceLoops.ranges)}`);
  return lines.map((line) => `IPv${family} ${line}`);
}

function guardLine({ kind, port, senders, isOpenToWorkloads }: TunnelGuard): string {
  const what = kind === "ipip" ? "IPIP" : `VXLAN on port ${port}`;
  return `${what} from ${senders.length} addresses only, ${isOpenToWorkloads ? "and out of workloads" : "never out of workloads"}`;
}

function list(prefixes: readonly Prefix[]): string {
  return prefixes.map(Prefix.format).join(" ");
}
