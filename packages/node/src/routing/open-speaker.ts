import type { NextHopResolver, SpeakerFact } from "@caracal/bgp";
import { BgpServer } from "@caracal/bgp-tcp";
import { tcpOptions } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import type { Log } from "../observe/log.ts";
import { RepeatLimit } from "../observe/repeat-limit.ts";
import type { BgpListener, BgpService } from "./bgp-service.ts";
import type { SpeakerSettings } from "./bgp-supervisor.ts";

/** A peer that sends one malformed UPDATE sends many: so often at most one is told of each kind. */
const faultLineMs = 60_000;

/** Starts a speaker on TCP, with next hops resolved by the kernel and its news in the log. */
export async function openSpeaker(
  settings: SpeakerSettings,
  listener: BgpListener,
  { resolver, log }: { readonly resolver: NextHopResolver; readonly log: Log },
): Promise<BgpService> {
  const { port, addresses } = settings.listen;
  const faults = new RepeatLimit(faultLineMs, Date.now);
  const server = new BgpServer({
    asn: settings.asNumber,
    routerId: settings.routerId,
    restarting: settings.restarting,
    listen: addresses === undefined ? [{ port }] : addresses.map((address) => ({ address, port })),
    resolver,
    socketOptions: tcpOptions,
    onFact: (fact) => {
      if (fact.kind === "refused") listener.onRefused?.(fact.remoteAddress);
      tell(log, fact, faults);
    },
  });
  server.onBestRoutes((changes) => listener.onBestRoutes(changes));
  server.onInitialSync(() => listener.onInitialSync());
  await server.start();
  log.info({ asNumber: settings.asNumber, port, restarting: settings.restarting }, "BGP is listening");
  return server;
}

function tell(log: Log, fact: SpeakerFact, faults: RepeatLimit): void {
  switch (fact.kind) {
    case "sessionState": {
      const { peer, from, to, reason } = fact;
      if (to === "Established") log.info({ peer }, "session up");
      else if (from === "Established") log.warn({ peer, to, reason }, "session down");
      else log.debug({ peer, from, to, reason }, "session state");
      return;
    }
    case "refused":
      log.debug({ remoteAddress: IpAddress.format(fact.remoteAddress) }, "connection from no peer refused");
      return;
    case "attributeFault": {
      const heldBack = faults.admit(`${fact.peer} ${fact.attribute} ${fact.action}`);
      if (heldBack !== undefined) log.warn({ ...fact, heldBack }, "malformed attribute");
      return;
    }
    case "policyMissing":
      log.error(fact, "nothing passes: the policy does not exist, or makes no sense");
      return;
    case "prefixLimit":
      log.warn(fact, "many prefixes");
      return;
    default:
      log.info(fact, "graceful restart");
  }
}
