import type { Store } from "@caracal/datastore";
import { Ipam, type IpamView, Nanos } from "@caracal/ipam";
import { WatchedIpamSettings } from "./watched-ipam-settings.ts";

export interface WatchedIpam {
  readonly ipam: Ipam;
  /** To be run as long as it is used. */
  readonly settings: WatchedIpamSettings;
}

/** The IPAM of a node's pods: whatever it must know before it writes comes from watches, as long as they are in sync. */
export function openWatchedIpam({
  store,
  node,
  view,
}: {
  readonly store: Store;
  readonly node: string;
  readonly view: { readonly ipam: IpamView };
}): WatchedIpam {
  const settings = new WatchedIpamSettings(store, node);
  const ipam = new Ipam({ store, node, now: nowNanos, settings: () => settings.get(), view: view.ipam });
  return { ipam, settings };
}

function nowNanos(): Nanos {
  return Nanos.of(BigInt(Date.now()) * 1_000_000n);
}
