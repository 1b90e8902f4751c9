import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import { type QosReading, readQosControls } from "@caracal/resources";
import { type CniCall, parseArguments, podOf } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import type { NetworkConfig } from "./network-config.ts";
import { ownIpam } from "./operation.ts";
import { parsePodMac } from "./pod-mac.ts";
import type { NamespaceFacts } from "./ports.ts";
import { requestedAddresses, requestedMac } from "./requested-address.ts";

/** What a pod asks of its network by annotations, CNI_ARGS and configuration, checked and in one piece. */
export interface PodRequest {
  /** That the pod shall have addresses of. */
  readonly families: readonly IpFamily[];
  /** By name or CIDR; empty leaves the choice to selectors. */
  readonly pools: Readonly<Record<IpFamily, readonly string[]>>;
  /** Certain addresses, through IPAM; at most one of each family. */
  readonly addresses: readonly IpAddress[];
  /** Certain addresses that IPAM does not hear of; never together with `addresses`. */
  readonly unmanaged: readonly IpAddress[];
  /** Others' way to the pod besides its own addresses. */
  readonly floating: readonly IpAddress[];
  /** Of the pod's end. */
  readonly mac: string | undefined;
  /** Sources besides its own addresses that the pod may send from. */
  readonly sourcePrefixes: readonly string[];
  /** Limits of what the pod may send and receive. */
  readonly qos: QosReading;
}

/** What annotations of a pod and of its namespace are named after. */
const annotationPrefix = "cni.projectcalico.org/";
/** What errors show of a value. */
const shownCharacters = 80;

/** What the call alone says. A value that cannot be used throws a `CniError` that names its annotation. */
export function readPodRequest(call: CniCall, config: NetworkConfig): PodRequest {
  const ofPod: ReadonlyMap<string, string> = isAnnotated(call, config) ? config.podAnnotations : new Map();
  const annotations = new Annotations(ofPod);
  const addresses = annotations.addresses("ipAddrs");
  const unmanaged = annotations.addresses("ipAddrsNoIpam");
  const floating = annotations.addresses("floatingIPs");
  checkFeatures(config, { addresses, unmanaged, floating });
  const ofRuntime = requestedAddresses(call, config);
  const certain = addresses ?? (unmanaged === undefined ? ofRuntime : []);
  const families = [...certain, ...(unmanaged ?? [])].map(IpAddress.family);
  return {
    families: families.length > 0 ? families : (annotations.families() ?? config.ipam.families),
    pools: {
      4: annotations.pools("ipv4pools") ?? config.ipam.pools[4],
      6: annotations.pools("ipv6pools") ?? config.ipam.pools[6],
    },
    addresses: certain,
    unmanaged: unmanaged ?? [],
    floating: floating ?? [],
    mac: annotations.mac() ?? requestedMac(call, config),
    sourcePrefixes: annotations.sourcePrefixes(),
    qos: readQosControls(ofPod),
  };
}

/** With the namespace's annotations, which stand between the pod's own and the configuration. */
export function withNamespace(
  request: PodRequest,
  call: CniCall,
  config: NetworkConfig,
  facts: NamespaceFacts | undefined,
): PodRequest {
  if (facts === undefined || !isAnnotated(call, config)) return request;
  const ofPod = config.podAnnotations;
  const ofNamespace = new Annotations(facts.annotations, "namespace annotation");
  const pools = (family: IpFamily): readonly string[] => {
    const name = `ipv${family}pools`;
    const isPods = (ofPod.get(annotationPrefix + name) ?? "") !== "";
    return isPods ? request.pools[family] : (ofNamespace.pools(name) ?? request.pools[family]);
  };
  const isFamiliesPods =
    request.addresses.length + request.unmanaged.length > 0 ||
    (ofPod.get(`${annotationPrefix}ipFamilies`) ?? "") !== "";
  return {
    ...request,
    families: isFamiliesPods ? request.families : (ofNamespace.families() ?? request.families),
    pools: { 4: pools(4), 6: pools(6) },
  };
}

/** Calico's rule: annotations are Kubernetes', and are read where the configuration names its policy. */
function isAnnotated(call: CniCall, config: NetworkConfig): boolean {
  return config.usesKubernetesPolicy && podOf(parseArguments(call.args)) !== undefined;
}

function checkFeatures(
  { ipam: { type }, features }: NetworkConfig,
  asked: Readonly<Record<"addresses" | "unmanaged" | "floating", readonly IpAddress[] | undefined>>,
): void {
  if (asked.addresses !== undefined && asked.unmanaged !== undefined) {
    throw invalid("can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the same time");
  }
  const named = asked.addresses === undefined ? "ipAddrsNoIpam" : "ipAddrs";
  if ((asked.addresses ?? asked.unmanaged) !== undefined && type !== ownIpam) {
    throw invalid(`${named} is not compatible with configured IPAM: ${type}`);
  }
  if (asked.unmanaged !== undefined && !features.ipAddrsNoIpam) {
    throw invalid("requested feature is not enabled: ip_addrs_no_ipam");
  }
  if (asked.floating !== undefined && !features.floatingIps) {
    throw invalid("requested feature is not enabled: floating_ips");
  }
}

/** Typed reading of annotations. One that is absent or empty is `undefined`. */
class Annotations {
  readonly #values: ReadonlyMap<string, string>;
  readonly #what: string;

  constructor(values: ReadonlyMap<string, string>, what = "annotation") {
    this.#values = values;
    this.#what = what;
  }

  /** At most one address of each family. */
  addresses(name: string): readonly IpAddress[] | undefined {
    const texts = this.#texts(name, "addresses");
    if (texts === undefined) return undefined;
    const allowed = "a JSON list of addresses, at most one of each family";
    const found = texts.flatMap((text) => IpAddress.parse(text) ?? []);
    const isEach = new Set(found.map(IpAddress.family)).size === found.length;
    if (found.length === 0 || found.length < texts.length || !isEach) throw this.#refusal(name, allowed);
    const unusable = found.find((address) => !isPodAddress(address));
    if (unusable === undefined) return found.toSorted(IpAddress.compare);
    throw this.#refusal(name, `addresses that a pod can have, and ${IpAddress.format(unusable)} is not one`);
  }

  pools(name: string): readonly string[] | undefined {
    const texts = this.#texts(name, "pool names or CIDRs");
    if (texts === undefined) return undefined;
    if (texts.length === 0 || texts.includes("")) {
      throw this.#refusal(name, "a JSON list of pool names or CIDRs, not empty");
    }
    return texts;
  }

  families(): readonly IpFamily[] | undefined {
    const texts = this.#texts("ipFamilies", "IP families");
    if (texts === undefined) return undefined;
    const found = new Set(texts.flatMap((text) => familiesByName[text] ?? []));
    if (found.size === 0 || found.size < texts.length) {
      throw this.#refusal("ipFamilies", 'a JSON list of "IPv4" and "IPv6"');
    }
    return [...found].toSorted((a, b) => a - b);
  }

  mac(): string | undefined {
    const text = this.#values.get(`${annotationPrefix}hwAddr`) ?? "";
    if (text === "") return undefined;
    const mac = parsePodMac(text);
    if (mac !== undefined) return mac;
    throw this.#refusal("hwAddr", "the MAC address of one interface, such as 1c:0c:0a:c0:ff:ee");
  }

  sourcePrefixes(): readonly string[] {
    const texts = this.#texts("allowedSourcePrefixes", "addresses or CIDRs") ?? [];
    return texts.map((text) => {
      const found = Prefix.parseInterface(text)?.network ?? Prefix.parse(text);
      if (found === undefined)
        throw this.#refusal("allowedSourcePrefixes", "a JSON list of addresses or CIDRs");
      return Prefix.format(found);
    });
  }

  #texts(name: string, of: string): readonly string[] | undefined {
    const text = this.#values.get(annotationPrefix + name) ?? "";
    if (text === "") return undefined;
    const value = parseJson(text);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    throw this.#refusal(name, `a JSON list of ${of}`);
  }

  #refusal(name: string, allowed: string): CniError {
    const found = this.#values.get(annotationPrefix + name) ?? "";
    const shown = JSON.stringify(found.slice(0, shownCharacters));
    return invalid(`${this.#what} ${annotationPrefix}${name} must be ${allowed}`, `it is ${shown}`);
  }
}

const familiesByName: Readonly<Record<string, IpFamily>> = { IPv4: 4, IPv6: 6 };

/** What no host can have as its own: unspecified, loopback, link-local, multicast, broadcast. */
const unusableRanges = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/3",
  "::/127",
  "::ffff:0:0/96",
  "fe80::/10",
  "ff00::/8",
].flatMap((text) => Prefix.parse(text) ?? []);

function isPodAddress(address: IpAddress): boolean {
  return !unusableRanges.some((range) => Prefix.contains(range, address));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(message: string, details = ""): CniError {
  return new CniError(CniCode.invalidConfig, message, details);
}
