import type { SpeakerFact } from "@caracal/bgp";
import { IpAddress } from "@caracal/net";
import type { Log } from "./log.ts";

/** Tells the log what the speaker tells. */
export function logFact(log: Log, fact: SpeakerFact): void {
  switch (fact.kind) {
    case "sessionState": {
      const { peer, from, to, reason } = fact;
      if (to === "Established") log("info", "session up", { peer });
      else if (from === "Established") log("warn", "session down", { peer, to, reason });
      else log("debug", "session state", { peer, from, to, reason });
      return;
    }
    case "refused":
      log("debug", "connection from no neighbour refused", {
        remoteAddress: IpAddress.format(fact.remoteAddress),
      });
      return;
    case "attributeFault":
      log("warn", "malformed attribute", { ...fact });
      return;
    default:
      log("info", "graceful restart", { ...fact });
  }
}
