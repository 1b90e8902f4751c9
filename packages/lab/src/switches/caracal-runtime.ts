import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { controlRequest } from "@caracal/control";
import { stringify } from "yaml";
import { isJsonObject } from "../json-value.ts";
import { accepts } from "../lab-store.ts";
import {
  announcedSubnets,
  routerIdOf,
  sessionName,
  type SwitchPlace,
  type SwitchRuntime,
} from "./switch-runtime.ts";

const ANSWER_TIMEOUT_MS = 5_000;

/** Caracal's own speaker, alone. */
export const caracalRuntime: SwitchRuntime = {
  title: "Caracal",
  programNames: ["speaker"],
  requirements: () => undefined,
  prepare: (place) => {
    const file = join(place.runDirectory, "bgp.yaml");
    writeFileSync(file, stringify(configuration(place)));
    const argv = [...place.ctx.program, "bgp", "run", "--config", file];
    return [{ name: "speaker", argv, answers: () => accepts(socketOf(place)) }];
  },
  environment: (place) => ({ CARACAL_BGP_CONTROL: socketOf(place) }),
  sessions: async (place) => {
    try {
      const answer = await controlRequest(
        socketOf(place),
        "bgp.neighbors",
        {},
        { timeoutMs: ANSWER_TIMEOUT_MS },
      );
      const neighbors: readonly unknown[] = Array.isArray(answer) ? answer : [];
      return neighbors.filter(isJsonObject).map(({ address, state }) => ({
        peer: typeof address === "string" ? address : "",
        state: typeof state === "string" ? state : "unknown",
      }));
    } catch {
      return undefined;
    }
  },
};

function socketOf({ runDirectory }: SwitchPlace): string {
  return join(runDirectory, "bgp.sock");
}

function configuration(place: SwitchPlace): unknown {
  const { spec } = place;
  return {
    routerId: routerIdOf(spec),
    asn: spec.asNumber,
    control: socketOf(place),
    kernel: { table: 254, protocol: 12 },
    static: announcedSubnets(place).map((prefix) => ({ prefix, blackhole: true, programmed: false })),
    neighbors: spec.neighbors.map((neighbor) => ({
      name: sessionName(neighbor),
      address: neighbor.address,
      asn: neighbor.asNumber,
      ...(neighbor.isNode ? towardsNodes(neighbor.asNumber === spec.asNumber) : {}),
    })),
  };
}

/**
 * Inside one AS the switch is its nodes' reflector. Otherwise it tells them the next hop that it was told: nodes of one
 * rack then send to each other directly, and to the rest of the world by their gateway, which is the switch.
 */
function towardsNodes(isInternal: boolean): object {
  return isInternal ? { routeReflectorClient: true } : { nextHop: "keep" };
}
