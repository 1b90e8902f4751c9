import { ensureTiers, type ResourceClient, type ResourceOutcome } from "@caracal/datastore";
import { IpAddress } from "@caracal/net";
import { backendAnnotation, formatMtuReport, mtuAnnotation, type MtuReport } from "@caracal/intent";
import { AsNumber, type ClusterInformation, type Node, parseResource } from "@caracal/resources";
import type { Backend, NodeConfig } from "../config.ts";
import type { Log } from "../observe/log.ts";
import type { DetectionHost } from "./autodetect.ts";
import { mergeClusterType } from "./cluster-type.ts";
import { missingPools } from "./default-pools.ts";
import { addressConflict, chooseAddress } from "./node-addresses.ts";
import { StartUpError } from "./start-up-error.ts";

/** What start-up works with. */
export interface StartUp {
  readonly config: NodeConfig;
  readonly node: string;
  readonly client: ResourceClient;
  readonly host: DetectionHost;
  readonly log: Log;
  readonly uuid: () => string;
  readonly randomBytes: (count: number) => Uint8Array;
  /** What the Node tells others of its MTUs, once it is known. */
  readonly mtus?: () => MtuReport | undefined;
}

/** Others write the same objects when a whole cluster starts: each write is tried this often. */
const maxAttempts = 10;

/**
 * Makes the datastore ready for this node (facts: node start-up §2): ClusterInformation, the fixed tiers, the Node with
 * its addresses and AS, the default pools. What is there already is completed, never replaced. Throws `StartUpError` for what a person must
 * change, `StoreError` while the datastore does not answer.
 */
export async function prepareCluster(startUp: StartUp): Promise<void> {
  await ensureClusterInformation(startUp);
  await ensureTiers(startUp.client);
  await ensureNode(startUp);
  await ensurePools(startUp);
}

/**
 * `calicoVersion` is left alone: a cluster that does not name one is read by Calico's tools of any version.
 */
async function ensureClusterInformation({ client, config, uuid }: StartUp): Promise<void> {
  await insist(async () => {
    const found = await client.get("ClusterInformation", "default");
    if (found.kind === "failed") {
      // One that is there and cannot be read must not be taken for none.
      if (found.reason !== "missing") return found;
      const spec = {
        clusterGUID: uuid().replaceAll("-", ""),
        clusterType: mergeClusterType(undefined, config.clusterType),
        datastoreReady: true,
      };
      return client.create(clusterInformation(spec));
    }
    const { resource } = found;
    const clusterType = mergeClusterType(resource.spec.clusterType, config.clusterType);
    const datastoreReady = resource.spec.datastoreReady ?? true;
    if (clusterType === (resource.spec.clusterType ?? "") && resource.spec.datastoreReady !== undefined)
      return found;
    return client.update({ ...resource, spec: { ...resource.spec, clusterType, datastoreReady } });
  });
}

function clusterInformation(spec: ClusterInformation["spec"]): ClusterInformation {
  return {
    kind: "ClusterInformation",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "default" },
    spec,
  };
}

/** Creates or updates the Node; also run again later, when autodetected addresses may have changed. */
export async function ensureNode(startUp: StartUp): Promise<void> {
  const { client, config, log } = startUp;
  await insist(async () => {
    const found = await client.get("Node", startUp.node);
    if (found.kind === "failed" && found.reason !== "missing") return found;
    const stored = found.kind === "ok" ? found.resource : undefined;
    const wanted = await describeNode(startUp, stored);
    if (stored !== undefined && tellsTheSame(wanted, stored)) return found;
    if (config.checkNodeIp) {
      const { items } = await client.list("Node");
      const conflict = addressConflict(wanted, items);
      if (conflict !== undefined) throw new StartUpError(conflict);
    }
    log.info({ bgp: wanted.spec.bgp }, "writing the Node resource");
    return stored === undefined ? client.create(wanted) : client.update(wanted);
  });
}

function tellsTheSame(a: Node, b: Node): boolean {
  return (
    JSON.stringify(a.spec) === JSON.stringify(b.spec) &&
    [mtuAnnotation, backendAnnotation].every(
      (name) => a.metadata.annotations?.[name] === b.metadata.annotations?.[name],
    )
  );
}

async function describeNode(startUp: StartUp, stored: Node | undefined): Promise<Node> {
  const { config, node } = startUp;
  const orchRefs =
    config.kubernetesNodeName === undefined
      ? stored?.spec.orchRefs
      : [{ nodeName: config.kubernetesNodeName, orchestrator: "k8s" }];
  return {
    kind: "Node",
    apiVersion: "projectcalico.org/v3",
    ...(stored?.status === undefined ? {} : { status: stored.status }),
    metadata: withMtus(withBackend(stored?.metadata ?? { name: node }, config.backend), startUp.mtus?.()),
    spec: {
      ...stored?.spec,
      // Without the BGP backend nothing is found out and nothing is written of it; what others wrote stays.
      ...(config.backend === "none" ? {} : await describeBgp(startUp, stored)),
      ...(orchRefs === undefined ? {} : { orchRefs }),
    },
  };
}

/** Others cannot know that nothing speaks BGP here. */
function withBackend(metadata: Node["metadata"], backend: Backend): Node["metadata"] {
  const speaksBgp = backend === "caracal" || backend === "bird";
  const { [backendAnnotation]: told, ...others } = metadata.annotations ?? {};
  if (!speaksBgp) return { ...metadata, annotations: { ...others, [backendAnnotation]: backend } };
  return told === undefined ? metadata : { ...metadata, annotations: others };
}

function withMtus(metadata: Node["metadata"], mtus: MtuReport | undefined): Node["metadata"] {
  if (mtus === undefined) return metadata;
  return { ...metadata, annotations: { ...metadata.annotations, [mtuAnnotation]: formatMtuReport(mtus) } };
}

async function describeBgp(
  startUp: StartUp,
  stored: Node | undefined,
): Promise<Pick<Node["spec"], "bgp" | "addresses">> {
  const ipv4 = await addressOf(startUp, 4, stored);
  const ipv6 = await addressOf(startUp, 6, stored);
  if (ipv4 === undefined && ipv6 === undefined) {
    throw new StartUpError(
      "the node has neither an IPv4 nor an IPv6 address; set IP or IP6, or their autodetection methods",
    );
  }
  const asNumber = parseAsNumber(startUp.config.asNumber) ?? stored?.spec.bgp?.asNumber;
  const own = [ipv4, ipv6].flatMap((address) =>
    address === undefined ? [] : [{ address, type: "CalicoNodeIP" as const }],
  );
  const others = (stored?.spec.addresses ?? []).filter(({ type }) => type !== "CalicoNodeIP");
  return {
    bgp: {
      ...stored?.spec.bgp,
      ...(ipv4 === undefined ? {} : { ipv4Address: ipv4 }),
      ...(ipv6 === undefined ? {} : { ipv6Address: ipv6 }),
      ...(asNumber === undefined ? {} : { asNumber }),
    },
    addresses: [...own, ...others],
  };
}

async function addressOf(
  { config, host, log }: StartUp,
  family: 4 | 6,
  stored: Node | undefined,
): Promise<string | undefined> {
  const settings = family === 4 ? config.ipv4 : config.ipv6;
  const { bgp, addresses = [] } = stored?.spec ?? {};
  const before = family === 4 ? bgp?.ipv4Address : bgp?.ipv6Address;
  // In a Kubernetes datastore the Node is a view of Kubernetes' own, its addresses included.
  const internalAddresses = addresses
    .filter(({ type }) => type === "InternalIP")
    .flatMap(({ address }) => IpAddress.parse(address) ?? []);
  const outcome = await chooseAddress(family, settings, before, host, { internalAddresses });
  if (outcome.kind === "failed") throw new StartUpError(outcome.reason);
  if (outcome.kind === "none") return undefined;
  if (outcome.warning !== undefined)
    log.warn({ address: outcome.cidr, warning: outcome.warning }, "address kept");
  return outcome.cidr;
}

function parseAsNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const asNumber = AsNumber.parse(text);
  if (asNumber === undefined) throw new StartUpError(`AS='${text}' is not an AS number such as 64512`);
  return asNumber;
}

async function ensurePools({ client, config, host, log, randomBytes }: StartUp): Promise<void> {
  await insist(async () => {
    const { items } = await client.list("IPPool");
    const surroundings = { pools: items, interfaces: host.interfaces(), randomBytes: randomBytes(5) };
    for (const document of missingPools(config.defaultPools, surroundings)) {
      const reading = parseResource(document, "user");
      if (reading.kind === "bad") {
        const reasons = reading.problems.map(({ path, reason }) => `${path}: ${reason}`).join("; ");
        throw new StartUpError(`the default pool ${document.metadata.name} is not valid: ${reasons}`);
      }
      const created = await client.create(reading.value);
      if (created.kind === "failed") return created;
      log.info({ pool: document.metadata.name, cidr: document.spec["cidr"] }, "created the default pool");
    }
    return undefined;
  });
}

/** Repeats what lost a race against another node; anything else that is refused is for a person. */
async function insist(attempt: () => Promise<ResourceOutcome | undefined>): Promise<void> {
  for (let count = 1; ; count += 1) {
    const outcome = await attempt();
    if (outcome === undefined || outcome.kind === "ok") return;
    const isRace = outcome.reason !== "refused";
    if (!isRace || count >= maxAttempts) throw new StartUpError(outcome.message);
  }
}
