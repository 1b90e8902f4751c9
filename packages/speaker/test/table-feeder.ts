import { fileURLToPath } from "node:url";
import type { BgpPeerKind } from "@caracal/testbed";
import type { FeederSize } from "./feeder-table.ts";

const script = fileURLToPath(new URL("feeder-process.ts", import.meta.url));

/** A router that says a `feederTable` to its first neighbour, and believes nothing. */
export function tableFeeder({ count, isLong }: FeederSize): BgpPeerKind {
  return {
    name: "feeder",
    skip: false,
    lacks: {},
    start: async (_bed, namespace, { neighbors: [neighbor] }) => {
      if (neighbor === undefined) throw new Error("a feeder needs a neighbor");
      const { address, local } = neighbor;
      const program = await namespace.start([
        process.execPath,
        script,
        address,
        local,
        String(count),
        String(isLong),
      ]);
      const never = (): Promise<never> => Promise.reject(new Error("a feeder only feeds"));
      return {
        program,
        beliefs: async () => [],
        isUp: async () => program.output.includes("fed"),
        refuse: never,
        kill: never,
        revive: never,
      };
    },
  };
}
