import { setImmediate } from "node:timers/promises";
import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import { handleOf } from "./attachment.ts";
import type { PodName } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { appendResult, type CniResult, type CniRoute, emptyResult, hostRoutes } from "./cni-result.ts";
import { endpointStatusFile, statusNameOf } from "./endpoint-status.ts";
import { describeEndpoint, type StoredEndpoint } from "./endpoint-records.ts";
import {
  allocationAttributes,
  type CniServices,
  type Operation,
  ownIpam,
  type Step,
  takeSteps,
} from "./operation.ts";
import { type PodRequest, readPodRequest, withNamespace } from "./pod-request.ts";
import type { EndpointNotice, NamespaceFacts, PodInterface, PodIpam, PreparedPair } from "./ports.ts";
import { refuseTaken, refuseUnmatched } from "./refuse-taken.ts";

/** What the datastore knows before an ADD. */
interface Known {
  readonly stored: StoredEndpoint | undefined;
  /** Addresses that the call's handle holds. */
  readonly held: readonly IpAddress[];
  readonly namespace: NamespaceFacts | undefined;
}

/** What an ADD has found and done so far. */
interface Draft {
  /** The pod's and, once it is known, its namespace's. */
  request: PodRequest;
  /** For pools that select by them. */
  namespaceLabels: Readonly<Record<string, string>> | undefined;
  known: Promise<Known>;
  stored: StoredEndpoint | undefined;
  addresses: readonly IpAddress[];
  routes: readonly Prefix[];
  /** As the IPAM plugin gave them, for the result. */
  givenRoutes: readonly CniRoute[];
  /** The pod has addresses of another IPAM plugin from an earlier call, whose routes nobody remembers. */
  isRemembered: boolean;
  mac: string;
  mtu: number;
  /** Where the configuration names none. */
  readonly defaultMtu: number | undefined;
  /** This call has made the pair. */
  created: boolean;
  /** And both ends are up. */
  pair: PreparedPair | undefined;
  /** Address and endpoint are written: nothing was there before. */
  isFirst: boolean;
  /** The pair is there and as it should be: a repeated ADD. */
  complete: boolean;
  /** Resolves when new blocks are announced; runs beside the steps in the kernel. */
  announced: Promise<void>;
  /** Takes back what this call did, last first. */
  readonly undo: (() => Promise<unknown>)[];
}

const defaultRoutes: Readonly<Record<IpFamily, Prefix>> = {
  4: Prefix.parse("0.0.0.0/0") ?? Prefix.of(mustParse("0.0.0.0"), 0),
  6: Prefix.parse("::/0") ?? Prefix.of(mustParse("::"), 0),
};

/**
 * What takes time is the datastore, so the pair is made while it is asked. The order is such that a kill between any two steps leaves only what DEL finds by the call's own names: the address by
 * its handle, the pair by its host end (routes go with it), the endpoint by its name.
 */
export const addSteps: readonly Step<Draft>[] = [
  { name: "assign an address and write the endpoint", run: assignFirst },
  { name: "ask what is known", run: askWhatIsKnown },
  { name: "create the pair meanwhile", run: createPairMeanwhile },
  { name: "look at what is known", run: lookAtKnown },
  { name: "replace the pod's former container", run: replaceFormer },
  { name: "assign addresses", run: assignAddresses },
  { name: "look at the pair", run: lookAtPair },
  { name: "create the pair", run: createPair },
  { name: "configure the pair", run: configurePair },
  { name: "route to the pod", run: addRoutes },
  { name: "write the endpoint", run: writeEndpoint },
  { name: "tell the daemon", run: tellDaemon },
];

/** ADD of plugin `calico`: the same result however often it is called. A failure takes back what this call did. */
export async function addPod(services: CniServices, operation: Operation): Promise<CniResult> {
  if (!services.kernel.hasNamespace(operation.attachment.netns)) {
    const details = operation.attachment.netns;
    throw new CniError(
      CniCode.invalidEnvironment,
      "CNI_NETNS leads to no network namespace of a container",
      details,
    );
  }
  const draft: Draft = {
    // Before anything is done: what cannot be granted leaves nothing.
    request: readPodRequest(operation.call, operation.config),
    namespaceLabels: undefined,
    known: Promise.resolve({ stored: undefined, held: [], namespace: undefined }),
    stored: undefined,
    addresses: [],
    routes: [],
    givenRoutes: [],
    isRemembered: false,
    mac: "",
    mtu: 0,
    defaultMtu: operation.config.mtu === undefined ? services.defaultMtu() : undefined,
    created: false,
    pair: undefined,
    isFirst: false,
    complete: false,
    announced: Promise.resolve(),
    undo: [],
  };
  try {
    await takeSteps(addSteps, services, operation, draft);
  } catch (error) {
    await takeBack(draft);
    throw error;
  }
  return appendResult(operation.config.previous ?? emptyResult, resultOf(operation, draft));
}

/**
 * The usual pod: one address, and nothing that an earlier call left. Then address and endpoint are one write, and what is
 * known is asked only when that finds something there.
 */
async function assignFirst(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { attachment, call, config } = operation;
  const { pod } = attachment;
  const { addresses, unmanaged, floating } = draft.request;
  if (config.ipam.type !== ownIpam || [...addresses, ...unmanaged, ...floating].length > 0) return;
  const [namespace, facts] = await Promise.all([
    pod === undefined ? undefined : services.namespaceFacts(pod.namespace),
    pod === undefined ? undefined : services.podFacts(pod),
  ]);
  const request = withNamespace(draft.request, call, config, namespace);
  const [family, secondFamily] = request.families;
  if (family === undefined || secondFamily !== undefined) return;
  const mac = request.mac ?? services.newMac();
  const assigning = services.ipam.assignFirst({
    handle: attachment.handle,
    family,
    pools: request.pools,
    namespaceLabels: namespaceLabels(pod, namespace),
    attributes: allocationAttributes(services, pod),
    together: (address) => {
      const found = { addresses: [address], mac, facts, request };
      const description = describeEndpoint(attachment, config, services.node, found);
      return services.records.newEntry(attachment, description);
    },
  });
  draft.undo.push(() => takeBackFirst(services, operation, draft, assigning));
  const asked = draft.request;
  draft.request = { ...request, mac };
  if (!services.isBusy()) {
    // As below: the kernel's work must not hold up the request, nor a failure of it count as unhandled.
    assigning.catch(() => undefined);
    await setImmediate();
    tryCreatePair(services, operation, draft);
    if (draft.created) preparePair(services, operation, draft);
  }
  const outcome = await assigning;
  if (outcome.kind === "refused") throw new CniError(CniCode.noAddress, outcome.reason);
  if (outcome.kind === "exists") {
    draft.request = asked;
    return;
  }
  draft.isFirst = true;
  draft.addresses = outcome.addresses;
  draft.routes = [defaultRoutes[family]];
  announce(services, draft, outcome.claimed);
}

/** Takes back what was written, if it was: what was there before stays. */
async function takeBackFirst(
  services: CniServices,
  operation: Operation,
  draft: Draft,
  assigning: ReturnType<PodIpam["assignFirst"]>,
): Promise<void> {
  if ((await assigning).kind !== "assigned") return;
  await giveBack(services, operation, draft, assigning);
  await removeEndpoint(services, operation);
}

async function removeEndpoint(services: CniServices, { attachment }: Operation): Promise<void> {
  const written = await services.records.find(attachment);
  if (written?.endpoint?.spec.containerID === attachment.containerId) await services.records.remove(written);
}

function announce(services: CniServices, draft: Draft, claimed: readonly Prefix[]): void {
  if (claimed.length === 0) return;
  draft.announced = services.hooks.blocksClaimed(claimed);
  // It is awaited by the last step; until then a failure must not count as unhandled.
  draft.announced.catch(() => undefined);
}

function askWhatIsKnown(services: CniServices, operation: Operation, draft: Draft): void {
  if (draft.isFirst) return;
  const { attachment, config } = operation;
  const isOwn = config.ipam.type === ownIpam;
  draft.known = Promise.all([
    services.records.find(attachment),
    isOwn ? services.ipam.addressesOf(attachment.handle) : [],
    attachment.pod === undefined ? undefined : services.namespaceFacts(attachment.pod.namespace),
  ]).then(([stored, held, namespace]) => ({ stored, held, namespace }));
  // It is awaited by the step after the next; until then a failure must not count as unhandled.
  draft.known.catch(() => undefined);
}

/**
 * Only where nothing is in the way, and the addresses' families are known: everything else waits until it is clear what
 * there is. Among many calls it would be of no use, but keep those apart that IPAM could serve together.
 */
async function createPairMeanwhile(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.created || draft.isFirst || operation.config.ipam.type !== ownIpam || services.isBusy()) return;
  // The kernel's work holds up the thread: the questions must have left before.
  await setImmediate();
  tryCreatePair(services, operation, draft);
}

function tryCreatePair(services: CniServices, operation: Operation, draft: Draft): void {
  const { hostName } = operation.attachment;
  draft.created = services.kernel.createPair(podInterface(services, operation, draft));
  if (draft.created) draft.undo.push(() => services.kernel.removePair(hostName));
}

async function lookAtKnown(_services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.isFirst) return;
  const { attachment, call, config } = operation;
  const { stored, held, namespace } = await draft.known;
  draft.stored = stored;
  draft.request = withNamespace(draft.request, call, config, namespace);
  draft.namespaceLabels = namespaceLabels(attachment.pod, namespace);
  const spec = stored?.endpoint?.spec;
  const known = spec?.containerID === attachment.containerId ? (spec.ipNetworks ?? []) : [];
  // The allocation is the authority; a delegated plugin's can only be known from the endpoint.
  draft.addresses = config.ipam.type === ownIpam ? held : known.flatMap(addressOf);
}

/** With those that Kubernetes and Calico give every namespace. */
export function namespaceLabels(
  pod: PodName | undefined,
  facts: NamespaceFacts | undefined,
): Readonly<Record<string, string>> | undefined {
  if (pod === undefined) return undefined;
  const { namespace } = pod;
  return {
    "kubernetes.io/metadata.name": namespace,
    "projectcalico.org/name": namespace,
    ...facts?.labels,
  };
}

/** The pod's earlier container is gone, or the runtime would not start another: what it had goes first. */
async function replaceFormer(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { attachment, config } = operation;
  const former = draft.stored?.endpoint?.spec.containerID;
  if (draft.stored === undefined || former === undefined || former === attachment.containerId) return;
  if (!draft.created) await services.kernel.removePair(attachment.hostName);
  if (config.ipam.type === ownIpam) await services.ipam.release(handleOf(config.name, former));
  await services.records.remove(draft.stored);
  draft.stored = undefined;
}

async function assignAddresses(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.isFirst) return;
  const { config } = operation;
  const { request } = draft;
  await refuseTaken(services, operation.attachment, request);
  if (request.unmanaged.length > 0) draft.addresses = request.unmanaged;
  else if (config.ipam.type === ownIpam) await assignOwn(services, operation, draft);
  else await rememberOrAssign(services, operation, draft);
  const families = new Set(draft.addresses.map(IpAddress.family));
  refuseUnmatched(request, families);
  if (draft.routes.length === 0 || config.includeDefaultRoutes) {
    draft.routes = [...draft.routes, ...[...families].map((family) => defaultRoutes[family])];
  }
}

async function assignOwn(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { attachment } = operation;
  const { request } = draft;
  const held = new Set(draft.addresses.map(IpAddress.family));
  const families = request.families.filter((family) => !held.has(family));
  if (families.length === 0) return;
  const certain = request.addresses.filter((address) => !held.has(IpAddress.family(address)));
  const assigning = services.ipam.assign({
    handle: attachment.handle,
    families,
    pools: request.pools,
    ...(certain.length > 0 && { certain }),
    namespaceLabels: draft.namespaceLabels,
    attributes: allocationAttributes(services, attachment.pod),
  });
  // What an earlier call was given may be in use: then only DEL takes it back.
  if (held.size === 0) draft.undo.push(() => giveBack(services, operation, draft, assigning));
  if (draft.created && draft.pair === undefined && !services.isBusy()) {
    // As above: the kernel's work must not hold up the request, nor a failure of it count as unhandled.
    assigning.catch(() => undefined);
    await setImmediate();
    preparePair(services, operation, draft);
  }
  const outcome = await assigning;
  if (outcome.kind === "refused") throw new CniError(CniCode.noAddress, outcome.reason);
  draft.addresses = [...draft.addresses, ...outcome.addresses].toSorted(IpAddress.compare);
  announce(services, draft, outcome.claimed);
}

/** Only when the kernel has let go of them: the next pod may get them at once. */
async function giveBack(
  services: CniServices,
  { attachment }: Operation,
  { created }: Draft,
  assigning: Promise<unknown>,
): Promise<void> {
  await Promise.allSettled([assigning]);
  if (created) await services.kernel.removePair(attachment.hostName);
  await services.ipam.release(attachment.handle);
}

/**
 * The endpoint tells another plugin's addresses, but not whether that plugin still holds them: an attempt that failed has given
 * them back, and has removed the pair.
 */
async function rememberOrAssign(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { hostName, netns, ifname } = operation.attachment;
  draft.isRemembered = draft.addresses.length > 0 && services.kernel.podEnd(hostName, netns) === ifname;
  if (!draft.isRemembered) await assignDelegated(services, operation, draft);
}

async function assignDelegated(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { call, config } = operation;
  const { type } = config.ipam;
  let result: CniResult | undefined;
  try {
    result = await services.runIpamPlugin(type, call, "ADD");
  } catch {
    // An allocation that a killed ADD left makes host-local refuse a second one: give back, then ask again.
    await services.runIpamPlugin(type, call, "DEL");
    result = await services.runIpamPlugin(type, call, "ADD");
  }
  draft.undo.push(() => services.runIpamPlugin(type, call, "DEL"));
  if (result === undefined || result.ips.length === 0) {
    throw new CniError(CniCode.noAddress, `IPAM plugin ${type} gave no address`);
  }
  draft.addresses = result.ips.map(({ address }) => address);
  draft.routes = result.routes.map(({ destination }) => destination);
  draft.givenRoutes = result.routes;
}

/** Where a pair can be made there was none to look at: that is asked by making it. */
function lookAtPair(services: CniServices, operation: Operation, draft: Draft): void {
  if (!draft.created) tryCreatePair(services, operation, draft);
  if (draft.created) return;
  // The node's own MTU may have changed since: then new pods get it, and this one keeps what it has.
  const routes = draft.isRemembered ? [] : draft.routes;
  const pod = { ...podInterface(services, operation, { ...draft, routes }), mtu: operation.config.mtu };
  const state = services.kernel.inspect(pod);
  draft.complete = state?.differences.length === 0;
  if (state !== undefined && draft.complete) Object.assign(draft, { mac: state.mac, mtu: state.mtu });
}

async function createPair(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.complete || draft.created) return;
  refuseSecond(services, operation, draft);
  // Left by an ADD that was killed, by a former container, or incomplete: it is made anew.
  await services.kernel.removePair(operation.attachment.hostName);
  tryCreatePair(services, operation, draft);
  if (draft.created) return;
  const message = `the container has an interface ${operation.attachment.ifname} already, and it is not this network's`;
  throw new CniError(CniCode.interfaceExists, message);
}

/**
 * The host end is named after the pod, so a pod has one interface. A pair that has an endpoint of this call's name is this
 * call's, whatever its end in the pod is called by now.
 */
function refuseSecond(services: CniServices, operation: Operation, draft: Draft): void {
  const { hostName, netns, ifname } = operation.attachment;
  const taken = services.kernel.podEnd(hostName, netns);
  if (taken === undefined || taken === ifname || draft.stored !== undefined) return;
  const message = `the pod has the interface ${taken} already: a second one, ${ifname}, is not supported`;
  throw new CniError(CniCode.interfaceExists, message);
}

function preparePair(services: CniServices, operation: Operation, draft: Draft): void {
  draft.pair = services.kernel.preparePair(podInterface(services, operation, draft));
}

function configurePair(services: CniServices, operation: Operation, draft: Draft): void {
  if (draft.complete) return;
  draft.pair = services.kernel.configurePair(podInterface(services, operation, draft), draft.pair);
  const { mac, mtu } = draft.pair;
  Object.assign(draft, { mac, mtu });
}

function addRoutes(services: CniServices, operation: Operation, draft: Draft): void {
  if (draft.complete || draft.pair === undefined) return;
  services.kernel.addHostRoutes(podInterface(services, operation, draft), draft.pair);
}

async function writeEndpoint(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.isFirst) return;
  const { attachment, config } = operation;
  const facts = attachment.pod === undefined ? undefined : await services.podFacts(attachment.pod);
  const { addresses, mac, request } = draft;
  const found = { addresses, mac, facts, request };
  const description = describeEndpoint(attachment, config, services.node, found);
  if (draft.stored === undefined) {
    draft.undo.push(() => removeEndpoint(services, operation));
  }
  await services.records.put(attachment, description, draft.stored);
}

async function tellDaemon(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { announced, addresses, request } = draft;
  const notice = noticeOf(operation, addresses);
  await Promise.all([announced, services.hooks.endpointAdded(notice, request.qos.problems)]);
}

export function noticeOf(operation: Operation, addresses: readonly IpAddress[]): EndpointNotice {
  const { hostName, endpointName, endpointNamespace: namespace, containerId } = operation.attachment;
  const statusFile = endpointStatusFile(statusNameOf(operation.attachment));
  return { hostName, endpointName, statusFile, containerId, namespace, addresses };
}

/** What cannot be taken back now, DEL takes back: the runtime calls it after a failed ADD. */
async function takeBack(draft: Draft): Promise<void> {
  for (const undo of draft.undo.toReversed()) await undo().catch(() => undefined);
}

export function podInterface(
  services: CniServices,
  operation: Operation,
  wanted: Pick<PodInterface, "addresses" | "routes"> &
    Pick<Draft, "request"> &
    Partial<Pick<Draft, "defaultMtu">>,
): PodInterface {
  const { attachment, config } = operation;
  const mtu = config.mtu ?? wanted.defaultMtu ?? services.defaultMtu();
  if (mtu === undefined && config.requireMtuFile) {
    throw new CniError(CniCode.tryAgainLater, "the node has not written its MTU file yet");
  }
  const { hostName, netns, ifname } = attachment;
  const { addresses, routes, request } = wanted;
  const families = new Set(addresses.map(IpAddress.family));
  if (config.ipam.type === ownIpam) for (const family of request.families) families.add(family);
  const { queueCount, allowsIpForwarding: forwarding } = config;
  const { mac } = request;
  return { hostName, netns, ifname, families, addresses, routes, mtu, mac, queueCount, forwarding };
}

/** The routes that a pod of these addresses has unless its IPAM plugin said otherwise. */
export function defaultRoutesOf(addresses: readonly IpAddress[]): readonly Prefix[] {
  return [...new Set(addresses.map(IpAddress.family))].map((family) => defaultRoutes[family]);
}

function resultOf(operation: Operation, draft: Draft): CniResult {
  const { hostName, ifname, netns } = operation.attachment;
  const isOwn = operation.config.ipam.type === ownIpam && draft.request.unmanaged.length === 0;
  return {
    interfaces: [{ name: hostName }, { name: ifname, mac: draft.mac, mtu: draft.mtu, sandbox: netns }],
    ips: draft.addresses.map((address) => ({
      address,
      prefixLength: IpAddress.isIpv4(address) ? 32 : 128,
      interface: 1,
    })),
    routes: isOwn ? hostRoutes(draft.addresses) : draft.givenRoutes,
    dns: undefined,
  };
}

function addressOf(network: string): readonly IpAddress[] {
  const found = Prefix.parseInterface(network);
  return found === undefined ? [] : [found.address];
}

function mustParse(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
