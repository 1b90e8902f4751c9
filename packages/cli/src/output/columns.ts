import type { KindName, Resource, Resources } from "@caracal/resources";
import { formatFloat } from "./go-number.ts";

/** What a cell may need besides its resource. */
export interface CellContext {
  /** The AS of nodes that have none of their own. */
  readonly clusterAsNumber: number;
}

type Cell<R> = (resource: R, ctx: CellContext) => string;

/** A kind's table: every column it can show, and which of them `ps` and `wide` do. */
interface Table {
  readonly columns: readonly Column[];
  readonly narrow: readonly string[];
  readonly wide: readonly string[];
}

/** A column of one kind's table, ready to be asked. */
export interface Column {
  readonly heading: string;
  readonly cell: (resource: Resource, ctx: CellContext) => string;
}

/** `-` for a field that is not set. */
function dash(value: string | number | boolean | undefined): string {
  return value === undefined ? "-" : String(value);
}

/** As Go prints a pointer that is nil. */
function nil(value: string | number | boolean | undefined): string {
  return value === undefined ? "<nil>" : String(value);
}

function plain(value: string | number | undefined): string {
  return value === undefined ? "" : String(value);
}

/** Characters of a long list that `wide` shows, with the dots that stand for the rest. */
const maxListLength = 80;
const rest = "...";

function cut(text: string): string {
  return text.length > maxListLength ? `${text.slice(0, maxListLength - rest.length)}${rest}` : text;
}

/** A map as Calico's tables show it. */
function pairs(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

const name: Cell<Resource> = (resource) => resource.metadata.name;
const namespace: Cell<Resource> = (resource) => resource.metadata.namespace ?? "";

/** What the tables of policies show, staged or not. */
interface PolicyLike {
  readonly spec: { readonly tier?: string; readonly order?: number; readonly selector?: string };
}

const policyCells = {
  TIER: ({ spec }: PolicyLike): string => plain(spec.tier),
  ORDER: ({ spec }: PolicyLike): string => (spec.order === undefined ? "<nil>" : formatFloat(spec.order)),
  SELECTOR: ({ spec }: PolicyLike): string => plain(spec.selector),
};

const policyViews = { narrow: ["NAME", "TIER"], wide: ["NAME", "TIER", "ORDER", "SELECTOR"] };

const networkSetCells = {
  NAME: name,
  NETS: ({ spec }: { readonly spec: { readonly nets?: readonly string[] } }): string =>
    cut((spec.nets ?? []).join(",")),
};

const networkSetViews = { narrow: ["NAME"], wide: ["NAME", "NETS"] };

const tables: Readonly<Record<KindName, Table>> = {
  BGPConfiguration: table("BGPConfiguration", {
    NAME: name,
    LOGSEVERITY: ({ spec }) => dash(spec.logSeverityScreen),
    MESHENABLED: ({ spec }) => dash(spec.nodeToNodeMeshEnabled),
    ASNUMBER: ({ spec }) => dash(spec.asNumber),
  }),
  BGPFilter: table("BGPFilter", {
    NAME: name,
    NUMEXPORTV4: ({ spec }) => String(spec.exportV4?.length ?? 0),
    NUMIMPORTV4: ({ spec }) => String(spec.importV4?.length ?? 0),
    NUMEXPORTV6: ({ spec }) => String(spec.exportV6?.length ?? 0),
    NUMIMPORTV6: ({ spec }) => String(spec.importV6?.length ?? 0),
  }),
  BGPPeer: table("BGPPeer", {
    NAME: name,
    PEERIP: ({ spec }) => plain(spec.peerIP),
    NODE: ({ spec }) => spec.node ?? spec.nodeSelector ?? "(global)",
    ASN: ({ spec }) => String(spec.asNumber ?? 0),
  }),
  BlockAffinity: table("BlockAffinity", {
    NAME: name,
    NODE: ({ spec }) => plain(spec.node),
    CIDR: ({ spec }) => plain(spec.cidr),
    STATE: ({ spec }) => plain(spec.state),
  }),
  CalicoNodeStatus: table(
    "CalicoNodeStatus",
    {
      NAME: name,
      NODE: ({ spec }) => plain(spec.node),
      CLASSES: ({ spec }) => (spec.classes ?? []).join(","),
    },
    { narrow: ["NAME", "NODE"], wide: ["NAME", "NODE", "CLASSES"] },
  ),
  ClusterInformation: table("ClusterInformation", {
    NAME: name,
    CLUSTERGUID: ({ spec }) => plain(spec.clusterGUID),
    CLUSTERTYPE: ({ spec }) => plain(spec.clusterType),
    CALICOVERSION: ({ spec }) => plain(spec.calicoVersion),
    DATASTOREREADY: ({ spec }) => nil(spec.datastoreReady),
  }),
  FelixConfiguration: table("FelixConfiguration", { NAME: name }),
  GlobalNetworkPolicy: table("GlobalNetworkPolicy", { NAME: name, ...policyCells }, policyViews),
  GlobalNetworkSet: table("GlobalNetworkSet", networkSetCells, networkSetViews),
  HostEndpoint: table(
    "HostEndpoint",
    {
      NAME: name,
      NODE: ({ spec }) => plain(spec.node),
      INTERFACE: ({ spec }) => plain(spec.interfaceName),
      IPS: ({ spec }) => (spec.expectedIPs ?? []).join(","),
      PROFILES: ({ spec }) => (spec.profiles ?? []).join(","),
    },
    { narrow: ["NAME", "NODE"], wide: ["NAME", "NODE", "INTERFACE", "IPS", "PROFILES"] },
  ),
  IPAMConfiguration: table(
    "IPAMConfiguration",
    {
      NAME: name,
      STRICTAFFINITY: ({ spec }) => String(spec.strictAffinity ?? false),
      AUTOALLOCATEBLOCKS: ({ spec }) => String(spec.autoAllocateBlocks ?? true),
      MAXBLOCKSPERHOST: ({ spec }) => String(spec.maxBlocksPerHost ?? 0),
    },
    {
      narrow: ["NAME", "STRICTAFFINITY", "AUTOALLOCATEBLOCKS"],
      wide: ["NAME", "STRICTAFFINITY", "AUTOALLOCATEBLOCKS", "MAXBLOCKSPERHOST"],
    },
  ),
  IPPool: table(
    "IPPool",
    {
      NAME: name,
      CIDR: ({ spec }) => spec.cidr,
      NAT: ({ spec }) => String(spec.natOutgoing ?? false),
      IPIPMODE: ({ spec }) => spec.ipipMode ?? "Never",
      VXLANMODE: ({ spec }) => spec.vxlanMode ?? "Never",
      DISABLED: ({ spec }) => String(spec.disabled ?? false),
      DISABLEBGPEXPORT: ({ spec }) => String(spec.disableBGPExport ?? false),
      SELECTOR: ({ spec }) => spec.nodeSelector ?? "all()",
      ASSIGNMENTMODE: ({ spec }) => spec.assignmentMode ?? "Automatic",
    },
    {
      narrow: ["NAME", "CIDR", "SELECTOR"],
      wide: ["NAME", "CIDR", "NAT", "IPIPMODE", "VXLANMODE", "DISABLED", "DISABLEBGPEXPORT", "SELECTOR"],
    },
  ),
  IPReservation: table(
    "IPReservation",
    { NAME: name, CIDRS: ({ spec }) => (spec.reservedCIDRs ?? []).join(",") },
    { narrow: ["NAME"], wide: ["NAME", "CIDRS"] },
  ),
  KubeControllersConfiguration: table("KubeControllersConfiguration", { NAME: name }),
  NetworkPolicy: table("NetworkPolicy", { NAMESPACE: namespace, NAME: name, ...policyCells }, policyViews),
  NetworkSet: table("NetworkSet", { NAMESPACE: namespace, ...networkSetCells }, networkSetViews),
  Node: table(
    "Node",
    {
      NAME: name,
      // Brackets: the cluster's AS, not the node's own.
      ASN: ({ spec }, { clusterAsNumber }) =>
        spec.bgp === undefined ? "" : String(spec.bgp.asNumber ?? `(${clusterAsNumber})`),
      IPV4: ({ spec }) => plain(spec.bgp?.ipv4Address),
      IPV6: ({ spec }) => plain(spec.bgp?.ipv6Address),
    },
    { narrow: ["NAME"], wide: ["NAME", "ASN", "IPV4", "IPV6"] },
  ),
  Profile: table(
    "Profile",
    { NAME: name, LABELS: ({ spec }) => pairs(spec.labelsToApply) },
    { narrow: ["NAME"], wide: ["NAME", "LABELS"] },
  ),
  StagedGlobalNetworkPolicy: table("StagedGlobalNetworkPolicy", { NAME: name, ...policyCells }, policyViews),
  StagedKubernetesNetworkPolicy: table(
    "StagedKubernetesNetworkPolicy",
    {
      NAMESPACE: namespace,
      NAME: name,
      PODSELECTOR: ({ spec }) => pairs(spec.podSelector?.matchLabels),
    },
    { narrow: ["NAME"], wide: ["NAME", "PODSELECTOR"] },
  ),
  StagedNetworkPolicy: table(
    "StagedNetworkPolicy",
    { NAMESPACE: namespace, NAME: name, ...policyCells },
    policyViews,
  ),
  Tier: table("Tier", {
    NAME: name,
    ORDER: ({ spec }) => (spec.order === undefined ? "<nil>" : formatFloat(spec.order)),
  }),
  WorkloadEndpoint: table(
    "WorkloadEndpoint",
    {
      NAMESPACE: namespace,
      NAME: name,
      WORKLOAD: ({ spec }) => spec.pod ?? spec.workload ?? "",
      NODE: ({ spec }) => plain(spec.node),
      NETWORKS: ({ spec }) => (spec.ipNetworks ?? []).join(","),
      INTERFACE: ({ spec }) => plain(spec.interfaceName),
      PROFILES: ({ spec }) => (spec.profiles ?? []).join(","),
      NATS: ({ spec }) =>
        (spec.ipNATs ?? []).map(({ internalIP, externalIP }) => `{${internalIP} ${externalIP}}`).join(","),
      ORCHESTRATOR: ({ spec }) => plain(spec.orchestrator),
    },
    {
      narrow: ["WORKLOAD", "NODE", "NETWORKS", "INTERFACE"],
      wide: ["NAME", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE", "PROFILES", "NATS"],
    },
  ),
};

/** The columns of a kind: narrow, wide, or those that are named, in any case; an unknown name is given back. */
export function columnsOf(
  kind: KindName,
  which: "narrow" | "wide" | { readonly named: readonly string[] },
):
  | { readonly kind: "ok"; readonly columns: readonly Column[] }
  | { readonly kind: "unknown"; readonly heading: string; readonly known: readonly string[] } {
  const { columns, ...views } = tables[kind];
  const headings =
    typeof which === "string" ? views[which] : which.named.map((heading) => heading.toUpperCase());
  const chosen: Column[] = [];
  for (const heading of headings) {
    const column = columns.find((candidate) => candidate.heading === heading);
    if (column === undefined) return { kind: "unknown", heading, known: columns.map((each) => each.heading) };
    chosen.push(column);
  }
  return { kind: "ok", columns: chosen };
}

/** The namespace of namespaced kinds, shown first where namespaces were asked for. */
export const namespaceColumn: Column = { heading: "NAMESPACE", cell: namespace };

/** Without views of its own, a table shows all its columns in both. */
function table<Name extends KindName>(
  kind: Name,
  cells: Readonly<Record<string, Cell<Resources[Name]>>>,
  views?: { readonly narrow: readonly string[]; readonly wide: readonly string[] },
): Table {
  const columns = Object.entries(cells).map(([heading, cell]): Column => ({
    heading,
    cell: (resource, ctx) => (isOfKind(resource, kind) ? cell(resource, ctx) : ""),
  }));
  const all = Object.keys(cells);
  return { columns, narrow: views?.narrow ?? all, wide: views?.wide ?? all };
}

function isOfKind<Name extends KindName>(resource: Resource, kind: Name): resource is Resources[Name] {
  return resource.kind === kind;
}
