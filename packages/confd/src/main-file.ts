import type { BgpIntent } from "@caracal/intent";
import { IpAddress, type IpFamily, Ipv4, Prefix } from "@caracal/net";
import type { FamilyView } from "./family-view.ts";
import { birdFunction, block, fileText, generatedLine, quoted } from "./bird-text.ts";
import { addCommunity, filterFunctions } from "./filter-functions.ts";
import { peerSections } from "./peer-sections.ts";

/** `bird.cfg`, or `bird6.cfg`: protocols and peers; what they are filtered by is in the files it includes. */
export function mainFile(view: FamilyView): string {
  const { family, bgp } = view;
  const name = family === 4 ? "bird" : "bird6";
  return fileText([
    ...birdFunction("apply_communities ()", communityRules(bgp, family)),
    "",
    generatedLine,
    `include "${name}_aggr.cfg";`,
    `include "${name}_ipam.cfg";`,
    "",
    ...filterFunctions(bgp.filters, family),
    `router id ${Ipv4.format(bgp.routerId)};`,
    "",
    ...listenLines(bgp, family),
    ...localProtocols(view),
    "",
    ...(bgp.families.includes(family)
      ? [...bgpTemplate(bgp), "", ...peerSections(view)]
      : [`# IPv${family} disabled on this node.`]),
  ]);
}

function communityRules({ exportPolicy }: BgpIntent, family: IpFamily): readonly string[] {
  return exportPolicy.advertisements
    .filter(({ prefix }) => prefix.family === family)
    .map(
      ({ prefix, communities }) =>
        `if ( net ~ ${Prefix.format(prefix)} ) then { ${communities.map(addCommunity).join(" ")} }`,
    );
}

function listenLines({ listen }: BgpIntent, family: IpFamily): readonly string[] {
  const address = listen.addresses?.find((one) => IpAddress.family(one) === family);
  const at = address === undefined ? "" : `address ${IpAddress.format(address)} `;
  if (at === "" && listen.port === 179) return [];
  return [`listen bgp ${at}port ${listen.port};`, ""];
}

function localProtocols({ bgp, options }: FamilyView): readonly string[] {
  const debug = debugLines(bgp);
  const hidden = [
    ...bgp.ignoredInterfaces,
    ...options.interfacePrefixes.map((one) => `${one}*`),
    "kube-ipvs*",
  ];
  return [
    "# Configure synchronization between routing tables and kernel.",
    ...block("protocol kernel", [
      "learn;             # Learn all alien routes from the kernel",
      "persist;           # Don't remove routes on bird shutdown",
      "scan time 2;       # Scan kernel routing table every 2 seconds",
      "import all;",
      "export filter calico_kernel_programming; # Default is export none",
      "graceful restart;  # Keep routes while a restarted BIRD learns them again",
      "merge paths on;    # Allow export multipath routes (ECMP)",
    ]),
    "",
    "# Watch interface up/down events.",
    ...block("protocol device", [...debug, "scan time 2;    # Scan interfaces every 2 seconds"]),
    "",
    "# Routes to connected subnets: not to pods, nor to the service addresses that kube-proxy keeps on an interface.",
    ...block("protocol direct", [
      ...debug,
      `interface ${hidden.map((one) => `-${quoted(one)}, `).join("")}"*";`,
    ]),
  ];
}

function debugLines({ logging }: BgpIntent): readonly string[] {
  if (logging === "none") return [];
  return [logging === "all" ? "debug all;" : "debug { states };"];
}

function bgpTemplate(bgp: BgpIntent): readonly string[] {
  return [
    "# Template for all BGP clients",
    ...block("template bgp bgp_template", [
      ...debugLines(bgp),
      'description "Connection to BGP peer";',
      `local as ${bgp.asNumber};`,
      "gateway recursive; # Next hops may be several hops away",
      "import all;        # Peers know the network beyond us, we do not",
      "add paths on;",
      "graceful restart;  # Peers keep our routes while we restart",
      "connect delay time 2;",
      "connect retry time 5;",
      "error wait time 5,30;",
    ]),
  ];
}
