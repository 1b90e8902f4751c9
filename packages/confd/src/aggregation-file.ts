import { IpAddress, Prefix } from "@caracal/net";
import { type FamilyView, serviceOrigins } from "./family-view.ts";
import { birdFunction, block, fileText, generatedLine } from "./bird-text.ts";

/** `bird_aggr.cfg`: where the node's own routes begin, and that a block is told whole. */
export function aggregationFile({ family, intent, bgp }: FamilyView): string {
  const blocks = intent.kernel.blackholes.filter((prefix) => prefix.family === family).map(Prefix.format);
  const services = serviceOrigins(bgp, family).map(Prefix.format);
  const gateways = bgp.peers.flatMap(({ address, reachableBy }) =>
    reachableBy === undefined || IpAddress.family(address) !== family
      ? []
      : [
          `route ${IpAddress.format(address)}/${family === 4 ? 32 : 128} via ${IpAddress.format(reachableBy)};`,
        ],
  );
  const blackhole = (prefix: string): string => `route ${prefix} blackhole;`;
  const routes = [
    ...titled("# IP blocks for this host.", blocks.map(blackhole)),
    ...titled("# Static routes.", services.map(blackhole)),
    ...titled("# Static routes needed for BGP peers.", [...new Set(gateways)]),
  ];
  const own = bgp.exportPolicy.ownBlocks.filter((prefix) => prefix.family === family).map(Prefix.format);
  return fileText([
    generatedLine,
    "",
    ...(routes.length === 0
      ? ["# No IP blocks or static routes for this host."]
      : block("protocol static", routes)),
    "",
    "# Aggregation of routes on this host; export the block, nothing beneath it.",
    ...birdFunction(
      "calico_aggr ()",
      own.flatMap((prefix) => [
        `# Block ${prefix} is confirmed`,
        `if ( net = ${prefix} ) then { accept; }`,
        `if ( net ~ ${prefix} ) then { reject; }`,
      ]),
    ),
  ]);
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines];
}
