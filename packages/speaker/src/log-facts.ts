import type { SpeakerFact } from "@caracal/bgp";
import type { RouteStatus } from "@caracal/dataplane";
import { IpAddress } from "@caracal/net";
import { FactLimit } from "./fact-limit.ts";
import type { Log } from "./log.ts";

/** Tells the log what the speaker tells, and repeats it less often than peers may. */
export function factLog(log: Log, now: () => number): (fact: SpeakerFact) => void {
  const limit = new FactLimit(now);
  return (fact) => {
    const heldBack = limit.admit(fact);
    if (heldBack === undefined) return;
    const counting: Log = (level, message, facts) => log(level, message, { ...facts, heldBack });
    logFact(heldBack === 0 ? log : counting, fact);
  };
}

function logFact(log: Log, fact: SpeakerFact): void {
  switch (fact.kind) {
    case "sessionState": {
      const { peer, from, to, reason } = fact;
      if (to === "Established") log("info", "session up", { peer });
      else if (from === "Established") log("warn", "session down", { peer, to, reason });
      else log("debug", "session state", { peer, from, to, reason });
      return;
    }
    case "refused":
      log(
        "warn",
        fact.reason === "full" ? "too many neighbours of a prefix" : "connection from no neighbour",
        {
          remoteAddress: IpAddress.format(fact.remoteAddress),
          refused: fact.count,
        },
      );
      return;
    case "attributeFault":
      log("warn", "malformed attribute", { ...fact });
      return;
    case "prefixLimit": {
      const { stage, ...rest } = fact;
      log("warn", stage === "near" ? "near the maximum of prefixes" : "more prefixes than the maximum", {
        ...rest,
      });
      return;
    }
    case "policyMissing":
      log("error", "nothing passes: the filter does not exist, or makes no sense", { ...fact });
      return;
    case "longLivedRoutesKept":
      log("warn", "restart time is over; routes are kept as the last choice", { ...fact });
      return;
    case "refreshIgnored":
      log("warn", "route refresh before the first exchange is over", { ...fact });
      return;
    case "unrefreshedRoutesRemoved":
      log("info", "routes not told again in a refresh", { ...fact });
      return;
    default:
      log("info", "graceful restart", { ...fact });
  }
}

/** Tells the log when the kernel begins to refuse routes, and when it has taken all again. */
export function kernelWatch(log: Log): (status: RouteStatus) => void {
  let wasFailing = false;
  return (status) => {
    const [failure] = status.failures;
    const [conflict] = status.conflicts;
    const isFailing = failure !== undefined || conflict !== undefined || status.kernelFailure !== undefined;
    // In between it is not known yet.
    if (isFailing === wasFailing || (!isFailing && !status.settled)) return;
    wasFailing = isFailing;
    if (!isFailing) {
      log("info", "the kernel has all routes");
      return;
    }
    log("warn", "the kernel does not have all routes", {
      failed: status.failures.length,
      inConflict: status.conflicts.length,
      route: failure?.key ?? conflict?.key,
      reason: failure?.detail ?? status.kernelFailure ?? "another's route is in its place",
    });
  };
}
