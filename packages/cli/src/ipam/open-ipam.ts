import { Ipam, Nanos } from "@caracal/ipam";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";

/** IPAM as one node would use it. */
export function openIpam(ctx: CliContext, { store }: Connection, node: string): Ipam {
  return new Ipam({ store, node, now: () => Nanos.of(BigInt(ctx.now().getTime()) * 1_000_000n) });
}
