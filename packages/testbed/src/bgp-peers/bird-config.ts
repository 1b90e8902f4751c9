import {
  type BgpNeighborSettings,
  type BgpRefusals,
  type BgpRouterSettings,
  type BgpSample,
  familyOf,
} from "./bgp-peer.ts";

/** BIRD 1.6 has no channels: what stands in one there stands in the protocol itself. */
export type BirdSyntax = 1 | 2;

/** Before a neighbour's name: alone it may be a word of BIRD's language. */
export const protocolPrefix = "to_";

/** `bird.conf` for a router. BIRD 1.6 serves one family: the first neighbour's. */
export function birdConfig(syntax: BirdSyntax, settings: BgpRouterSettings, refusals: BgpRefusals): string {
  const families = syntax === 2 ? ([4, 6] as const) : [familyOf(settings.neighbors[0]?.address ?? "")];
  return [
    `router id ${settings.routerId};`,
    "protocol device { scan time 1; }",
    ...families.flatMap((family) => [
      ...statics(syntax, settings, family),
      ...kernel(syntax, settings, family),
      importFilter(refusals, family),
      exportFilter(settings, refusals, family),
    ]),
    ...settings.neighbors.map((neighbor) => bgp(syntax, settings, neighbor)),
  ].join("\n");
}

function statics(syntax: BirdSyntax, settings: BgpRouterSettings, family: 4 | 6): readonly string[] {
  const routes = settings.routes.filter(({ prefix }) => familyOf(prefix) === family);
  if (routes.length === 0) return [];
  return [
    `protocol static static${family} {`,
    channel(syntax, family, ""),
    ...routes.map((route) => `  route ${route.prefix} blackhole;`),
    "}",
  ];
}

/** BIRD 1.6 puts its own AS in front before this runs, BIRD 2 behind it. */
function path({ asPath = [] }: BgpSample, asn: number): string {
  if (asPath.length === 0) return "";
  const prepends = (asns: readonly number[]): string =>
    asns.map((one) => `bgp_path.prepend(${one});`).join(" ");
  const behind = prepends(asPath.toReversed());
  return `if bgp_path.len = 0 then { ${behind} } else { bgp_path.empty; ${behind} ${prepends([asn])} }`;
}

function attributes(route: BgpSample): string {
  const { origin, localPref, med } = route;
  const tuple = (text: string): string => `(${text.replaceAll(":", ", ")})`;
  return [
    ...(origin === undefined ? [] : [`bgp_origin = ORIGIN_${origin.toUpperCase()};`]),
    ...(localPref === undefined ? [] : [`bgp_local_pref = ${localPref};`]),
    ...(med === undefined ? [] : [`bgp_med = ${med};`]),
    ...(route.communities ?? []).map((one) => `bgp_community.add(${tuple(one)});`),
    ...(route.extendedCommunities ?? []).map((one) => `bgp_ext_community.add(${tuple(one)});`),
    ...(route.largeCommunities ?? []).map((one) => `bgp_large_community.add(${tuple(one)});`),
  ].join(" ");
}

function kernel(syntax: BirdSyntax, { programsKernel }: BgpRouterSettings, family: 4 | 6): readonly string[] {
  if (programsKernel !== true) return [];
  const exports = "export where source = RTS_BGP;";
  return [
    `protocol kernel kernel${family} { scan time 1; persist; graceful restart; ${channel(syntax, family, exports)} }`,
  ];
}

/** What a route says is set here: BIRD does not tell other ASes a MED that it found on a route. */
function exportFilter({ routes, asn }: BgpRouterSettings, refusals: BgpRefusals, family: 4 | 6): string {
  const here = routes.filter(({ prefix }) => familyOf(prefix) === family);
  const cases = here.map(
    (route) => `if net = ${route.prefix} then { ${path(route, asn)} ${attributes(route)} }`,
  );
  return [
    `filter export${family} {`,
    refusal(refusals.export, family),
    `  if source = RTS_STATIC then { ${cases.join(" ")} accept; }`,
    "  if source = RTS_BGP then accept;",
    "  reject;",
    "}",
  ].join("\n");
}

function importFilter(refusals: BgpRefusals, family: 4 | 6): string {
  return `filter import${family} { ${refusal(refusals.import, family)} accept; }`;
}

function refusal(refused: readonly string[], family: 4 | 6): string {
  const prefixes = refused.filter((prefix) => familyOf(prefix) === family);
  return prefixes.length === 0 ? "" : `if net ~ [${prefixes.join(", ")}] then reject;`;
}

function bgp(syntax: BirdSyntax, settings: BgpRouterSettings, neighbor: BgpNeighborSettings): string {
  const { name, address, local, asn, addPaths, password, ttlSecurityHops, holdTimeS } = neighbor;
  const paths =
    addPaths === undefined ? "" : `add paths ${{ send: "tx", receive: "rx", both: "on" }[addPaths]};`;
  const rest = `${paths} ${neighbor.nextHopSelf === true ? "next hop self;" : ""}`;
  const extended = neighbor.extendedNextHop === true ? "extended next hop on;" : "";
  const multihop = ttlSecurityHops ?? (asn === settings.asn ? 64 : undefined);
  const lines = [
    `local ${local} as ${settings.asn}; neighbor ${address} as ${asn};`,
    "connect delay time 1; connect retry time 1; error wait time 1, 2;",
    multihop === undefined ? "" : `multihop ${multihop};`,
    ttlSecurityHops === undefined ? "" : "ttl security on;",
    neighbor.isPassive === true ? "passive on;" : "",
    password === undefined ? "" : `password "${password}";`,
    holdTimeS === undefined ? "" : `hold time ${holdTimeS};`,
    neighbor.reflectorClient === true ? "rr client;" : "",
    neighbor.gracefulRestart === true ? "graceful restart on;" : "",
    neighbor.twoOctetAs === true ? "enable as4 off;" : "",
    ...neighbor.families.map((family) =>
      channel(
        syntax,
        family,
        `import filter import${family}; export filter export${family}; ${rest} ${extended}`,
      ),
    ),
  ];
  return [`protocol bgp ${protocolPrefix}${name} {`, ...lines.map((line) => `  ${line}`), "}"].join("\n");
}

function channel(syntax: BirdSyntax, family: 4 | 6, content: string): string {
  return syntax === 1 ? content : `ipv${family} { ${content} };`;
}
