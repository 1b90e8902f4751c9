import { evaluateFilter, type FilterHook, type NetworkState } from "@caracal/forwarding";
import { IpAddress } from "@caracal/net";
import { type Loss, lost } from "./losses.ts";
import type { Packet } from "./packet.ts";
import type { TraceStep } from "./trace-result.ts";

/** What came of a packet at one hook of the packet filter. */
export type HookResult =
  | { readonly kind: "passed"; readonly packet: Packet; readonly steps: readonly TraceStep[] }
  | { readonly kind: "lost"; readonly loss: Loss; readonly steps: readonly TraceStep[] };

export interface HookSurroundings {
  readonly inputInterface?: string;
  readonly outputInterface?: string;
  /** The address that stands for the place on the way out. */
  readonly masqueradeAs: IpAddress | undefined;
}

/** Hooks that are told of where the filter is unknown: once on the way in, once on the way out. */
const firstHooks: ReadonlySet<FilterHook> = new Set(["prerouting", "output"]);

/** Passes the packet through the chains of a hook: dropped, changed, or as it was. */
export function runHook(
  state: NetworkState,
  hook: FilterHook,
  packet: Packet,
  { masqueradeAs, ...devices }: HookSurroundings,
): HookResult {
  const { filter } = state;
  if (filter.kind === "unknown") {
    const text = `the packet filter is not known: ${filter.because}`;
    return { kind: "passed", packet, steps: firstHooks.has(hook) ? [{ kind: "note", text }] : [] };
  }
  const outcome = evaluateFilter(filter, hook, {
    ...packet,
    ...devices,
    isLocal: (address) => state.addresses.some((one) => one.address === address),
  });
  const steps: TraceStep[] = outcome.uncertain.map((rule) => ({
    kind: "note",
    text: `not understood, taken not to match: ${rule}`,
  }));
  if (outcome.kind === "dropped") {
    const how = outcome.how === "drop" ? "drops" : "rejects";
    const loss = lost(
      "filtered",
      `${outcome.by} ${how} it`,
      "look at: nft list ruleset; nft monitor trace follows a packet through the rules",
    );
    return { kind: "lost", loss, steps };
  }
  const marked = { ...packet, mark: outcome.mark };
  const { translation } = outcome;
  if (translation === undefined) return { kind: "passed", packet: marked, steps };
  const { how, by, port } = translation;
  const isSource = how === "snat" || how === "masquerade";
  const address = translation.address ?? (how === "masquerade" ? masqueradeAs : undefined);
  const changed: Packet = isSource
    ? { ...marked, source: address ?? packet.source, ...(port === undefined ? {} : { sourcePort: port }) }
    : {
        ...marked,
        destination: address ?? packet.destination,
        ...(port === undefined ? {} : { destinationPort: port }),
      };
  steps.push({
    kind: "nat",
    how,
    from: isSource
      ? endText(packet.source, packet.sourcePort)
      : endText(packet.destination, packet.destinationPort),
    to: isSource
      ? endText(changed.source, changed.sourcePort)
      : endText(changed.destination, changed.destinationPort),
    by,
  });
  return { kind: "passed", packet: changed, steps };
}

export function endText(address: IpAddress, port: number | undefined): string {
  const text = IpAddress.format(address);
  if (port === undefined) return text;
  return IpAddress.isIpv4(address) ? `${text}:${port}` : `[${text}]:${port}`;
}
