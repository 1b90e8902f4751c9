import { hostname } from "node:os";
import type { BmpOptions, BmpStationAddress } from "@caracal/bgp-tcp";
import { IpAddress } from "@caracal/net";
import type { Log } from "./log.ts";

/** How often stations are told counters. */
const statisticsMs = 60_000;

/** What stations are told of this speaker, and what the log of them. */
export function bmpOptions(stations: readonly BmpStationAddress[], log: Log): BmpOptions {
  return {
    system: { name: hostname(), description: "Caracal BGP speaker" },
    stations,
    statisticsMs,
    onFact: ({ address, port, state, reason }) => {
      const station = { address: IpAddress.format(address), port };
      if (state === "up") log("info", "BMP station up", station);
      else log("warn", "BMP station down", { ...station, reason });
    },
  };
}
