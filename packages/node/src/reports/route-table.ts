import type { RouteSnapshot } from "@caracal/bgp";
import type { Rtnetlink } from "@caracal/linux";
import { IpAddress, Prefix } from "@caracal/net";
import { RouteProtocol } from "@caracal/netlink";
import type { RouteTable, TableRoute } from "@caracal/questions";
import type { BgpSupervisor } from "../routing/bgp-supervisor.ts";

/** Every prefix that this node's speaker knows, and whether it is in the kernel; without a speaker BIRD is in its place. */
export function routeTable(
  node: string,
  bgp: Pick<BgpSupervisor, "routes"> | undefined,
  tables: Pick<Rtnetlink, "routes">,
): RouteTable {
  if (bgp === undefined) return { node, routes: [], unknownBecause: "BIRD speaks BGP there" };
  const programmed = new Set(
    tables.routes({ protocol: RouteProtocol.RTPROT_BIRD }).map(({ destination }) => Prefix.key(destination)),
  );
  const byPrefix = Map.groupBy(bgp.routes(), ({ prefix }) => Prefix.key(prefix));
  return {
    node,
    routes: [...byPrefix].map(([key, paths]) => tableRoute(paths, programmed.has(key))),
  };
}

function tableRoute(paths: readonly RouteSnapshot[], isProgrammed: boolean): TableRoute {
  const [first] = paths;
  const best = paths.find((path) => path.best);
  const nextHop = best?.attributes.nextHop;
  return {
    prefix: first === undefined ? "" : Prefix.format(first.prefix),
    isOwn: paths.some(({ source }) => source.kind === "local"),
    ...(nextHop === undefined ? {} : { nextHop: IpAddress.format(nextHop) }),
    from: paths.flatMap(({ source, state, stale }) =>
      source.kind === "peer" && state === "valid" && !stale ? [source.name] : [],
    ),
    isProgrammed,
  };
}
