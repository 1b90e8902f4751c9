import { IpAddress, Prefix } from "@caracal/net";

/** A route of a node's or switch's kernel as a file describes it, much as `ip route` prints it. */
export interface RoutePattern {
  /** As the file has it. */
  readonly text: string;
  /** There must be none to this destination. */
  readonly isAbsent: boolean;
  /** A prefix, or every block of a node in one of the pools. */
  readonly destination:
    | { readonly prefix: string }
    | { readonly blocksOf: string; readonly pool: "pool" | "pool6" };
  /** What must hold besides; anything where nothing is said. */
  readonly isBlackhole?: boolean;
  readonly gateway?: string;
  readonly interface?: string;
  readonly protocol?: string;
  /** The gateway is taken to be on the link, whatever the addresses say. */
  readonly isOnlink?: boolean;
}

export const ROUTE_RULE =
  'a route such as "10.244.0.0/26 via 10.0.0.1 dev eth0 proto bird", "blackhole <block NODE>" or "no 10.244.0.0/16"';

const WORDS =
  /^(?:(no|blackhole) )?(?:<(block6?) ([^>]+)>|(default|[0-9a-f.:/]+))(?: via ([0-9a-f.:]+))?(?: dev (\S+))?(?: proto (\S+))?( onlink)?$/;

/** Reads a line of `checks.routes`. */
export function parseRoutePattern(line: string): RoutePattern | undefined {
  const text = line.trim().replaceAll(/\s+/g, " ");
  const [, word, block, blocksOf, written, via, device, protocol, onlink] = WORDS.exec(text) ?? [];
  const prefix = written === undefined ? undefined : canonical(written);
  const pool = block === "block6" ? "pool6" : "pool";
  const destination =
    blocksOf !== undefined ? ({ blocksOf, pool } as const) : prefix !== undefined ? { prefix } : undefined;
  const gateway = via === undefined ? undefined : IpAddress.parse(via);
  if (destination === undefined || (via !== undefined && gateway === undefined)) return undefined;
  return {
    text,
    isAbsent: word === "no",
    destination,
    ...(word === "blackhole" ? { isBlackhole: true } : {}),
    ...(gateway === undefined ? {} : { gateway: IpAddress.format(gateway), isBlackhole: false }),
    ...(device === undefined ? {} : { interface: device }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(onlink === undefined ? {} : { isOnlink: true }),
  };
}

function canonical(written: string): string | undefined {
  const prefix = Prefix.parse(written === "default" ? "0.0.0.0/0" : written);
  return prefix === undefined ? undefined : Prefix.format(prefix);
}
