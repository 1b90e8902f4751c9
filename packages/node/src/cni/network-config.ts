import type { IpFamily } from "@caracal/net";
import { isRecord } from "@caracal/resources";
import { CniCode, CniError } from "./cni-error.ts";
import { type CniResult, readResult } from "./cni-result.ts";
import {
  type CniVersion,
  impliedVersion,
  isSupported,
  latestVersion,
  supportedVersions,
} from "./cni-version.ts";
import { JsonReading } from "./json-reading.ts";

/** A plugin's network configuration, the part that is acted upon; Calico's other keys are accepted and not needed. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  /** Part of the IPAM handle. */
  readonly name: string;
  readonly ipam: IpamConfigPart;
  /** Of the pod's interface; absent is for the node to decide. */
  readonly mtu: number | undefined;
  readonly requireMtuFile: boolean;
  /** Of each direction of the pod's interface. */
  readonly queueCount: number;
  /** Whose node the configuration is for. */
  readonly nodeName: NodeNameConfig;
  /** URLs that must answer before ADD does anything. */
  readonly readinessGates: readonly string[];
  /** ADD waits until the endpoint's rules are in force. */
  readonly policySetup: PolicySetup | undefined;
  /** Held around what is done to IPAM, for other programs of the host that hold it too. */
  readonly ipamLockFile: string | undefined;
  /** Pod's and namespace's profiles rather than the network's. */
  readonly usesKubernetesPolicy: boolean;
  readonly allowsIpForwarding: boolean;
  /** Default routes in addition to those that the IPAM plugin gives. */
  readonly includeDefaultRoutes: boolean;
  /** What the cluster lets annotations ask for (`feature_control`). */
  readonly features: { readonly ipAddrsNoIpam: boolean; readonly floatingIps: boolean };
  /** The pod's annotations, where the runtime hands them on (capability `io.kubernetes.cri.pod-annotations`). */
  readonly podAnnotations: ReadonlyMap<string, string>;
  /** What the runtime asks for by the capabilities `ips` and `mac`, as it is written. */
  readonly requested: { readonly ips: readonly string[]; readonly mac: string | undefined };
  /** What the plugins before this one in the chain made (ADD), or all of them (CHECK). */
  readonly previous: CniResult | undefined;
  /** GC: the attachments that still exist; every other one of the network is to go. */
  readonly validAttachments: readonly ValidAttachment[] | undefined;
}

export interface IpamConfigPart {
  /** `calico-ipam` is served by the daemon; any other is a program of CNI_PATH. */
  readonly type: string;
  readonly families: readonly IpFamily[];
  /** Pools by name or CIDR, in the order to try; empty leaves the choice to selectors. */
  readonly pools: Readonly<Record<IpFamily, readonly string[]>>;
}

/** What a configuration says of its node; the daemon that is asked must be that node's. */
export interface NodeNameConfig {
  readonly name: string | undefined;
  /** Where the daemon has written its node's name. */
  readonly file: string | undefined;
  readonly isFileOptional: boolean;
}

export interface PolicySetup {
  /** After this the pod starts all the same. */
  readonly timeoutSeconds: number;
  /** Where the node agent puts a file for every endpoint whose rules are in force. */
  readonly statusDirectory: string | undefined;
}

export interface ValidAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

/** The specification wants an alphanumeric first ("Network configuration"); Calico takes these characters anywhere. */
const namePattern = /^[a-zA-Z0-9_.-]+$/;
const nameCharactersMax = 253;
/** RFC 791 §3.1: every network must carry 68 bytes. The upper end is the kernel's for veth. */
const mtuMin = 68;
const mtuMax = 65535;
/** The kernel's own bound for interfaces (`rtnl_create_link`). */
const queuesMax = 4096;
/** They are all asked at once. */
const gatesMost = 16;
/** The runtime waits no longer for the whole call. */
const policySetupSecondsMax = 90;

/** The version to answer in, even where the rest of the configuration cannot be read. */
export function answerVersion(stdin: string): CniVersion {
  try {
    const version = JsonReading.parse(stdin, "").text("cniVersion") ?? impliedVersion;
    return isSupported(version) ? version : latestVersion;
  } catch {
    return latestVersion;
  }
}

/** Reads stdin; throws a `CniError` that names the member at fault, if `command` needs that. */
export function parseNetworkConfig(stdin: string, command?: string): NetworkConfig {
  const whole = JsonReading.parse(stdin, "the network configuration on stdin");
  const config = command === "DEL" ? deletionPart(whole) : whole;
  const cniVersion = config.text("cniVersion") || impliedVersion;
  if (!isSupported(cniVersion)) {
    const known = supportedVersions.join(", ");
    throw new CniError(
      CniCode.incompatibleVersion,
      `unsupported CNI version ${cniVersion}`,
      `supported: ${known}`,
    );
  }
  const name = config.required("name", config.text("name"));
  // Other IPAM plugins make a directory of it.
  if (!namePattern.test(name) || name.length > nameCharactersMax || name === "." || name === "..") {
    const allowed = "letters, digits, '_', '.' and '-'";
    throw new CniError(
      CniCode.invalidConfig,
      `name must be ${allowed}`,
      `it is ${JSON.stringify(name.slice(0, 80))}`,
    );
  }
  const previous = config.object("prevResult");
  const features = config.object("feature_control");
  const runtime = config.object("runtimeConfig");
  refuseUnsupported(config);
  return {
    cniVersion,
    name,
    ipam: readIpam(config.object("ipam")),
    mtu: readMtu(config),
    requireMtuFile: config.flag("require_mtu_file") ?? false,
    queueCount: Math.max(config.integer("num_queues", 0, queuesMax) ?? 1, 1),
    nodeName: {
      name: config.text("nodename") || undefined,
      file: readPath(config, "nodename_file"),
      isFileOptional: config.flag("nodename_file_optional") ?? false,
    },
    readinessGates: readGates(config),
    policySetup: readPolicySetup(config),
    ipamLockFile: readPath(config, "ipam_lock_file"),
    usesKubernetesPolicy: config.object("policy")?.text("type") === "k8s",
    allowsIpForwarding: config.object("container_settings")?.flag("allow_ip_forwarding") ?? false,
    includeDefaultRoutes: config.flag("include_default_routes") ?? false,
    features: {
      ipAddrsNoIpam: features?.flag("ip_addrs_no_ipam") ?? false,
      floatingIps: features?.flag("floating_ips") ?? false,
    },
    podAnnotations: runtime?.textMap("io.kubernetes.cri.pod-annotations") ?? new Map(),
    requested: { ips: runtime?.texts("ips") ?? [], mac: runtime?.text("mac") },
    previous: previous === undefined ? undefined : readResult(previous),
    validAttachments: validAttachments(config)?.map((item) => ({
      containerId: item.required("containerID", item.text("containerID")),
      ifname: item.required("ifname", item.text("ifname")),
    })),
  };
}

/** A mistake that came into a configuration must not keep pods from being deleted that were made before. */
function deletionPart({ value }: JsonReading): JsonReading {
  const kept = Object.entries(value).filter(([key]) => deletionKeys.has(key));
  const { ipam } = value;
  return JsonReading.of({
    ...Object.fromEntries(kept),
    ipam: isRecord(ipam) ? { type: ipam["type"] } : ipam,
  });
}

const deletionKeys: ReadonlySet<string> = new Set([
  "cniVersion",
  "name",
  "nodename_file",
  "nodename_file_optional",
  "ipam_lock_file",
]);

/** The specification's first text called them otherwise, and CNI's own library sends both. */
function validAttachments(config: JsonReading): readonly JsonReading[] | undefined {
  return config.objects("cni.dev/valid-attachments") ?? config.objects("cni.dev/attachments");
}

/** What would be done another way than it says is not done at all. */
function refuseUnsupported(config: JsonReading): void {
  const device = config.text("device_type") || "veth";
  if (device !== "veth") throw unsupported("device_type", device, "veth");
  const dataplane = config.object("dataplane_options")?.text("type") || "linux";
  if (dataplane !== "linux") throw unsupported("dataplane_options.type", dataplane, "linux");
}

function unsupported(key: string, found: string, supported: string): CniError {
  const details = `it is ${JSON.stringify(found.slice(0, 80))}`;
  return new CniError(CniCode.unsupportedField, `${key} can only be ${supported} here`, details);
}

function readPath(config: JsonReading, key: string): string | undefined {
  const path = config.text(key) || undefined;
  if (path === undefined || (path.startsWith("/") && !path.includes("\0"))) return path;
  const details = `it is ${JSON.stringify(path.slice(0, 80))}`;
  throw new CniError(CniCode.invalidConfig, `${key} must be an absolute path`, details);
}

function readGates(config: JsonReading): readonly string[] {
  const gates = config.texts("readiness_gates") ?? [];
  if (gates.length > gatesMost) {
    throw new CniError(CniCode.invalidConfig, `readiness_gates must be at most ${gatesMost} URLs`);
  }
  const wrong = gates.find((gate) => !/^https?:$/.test(URL.parse(gate)?.protocol ?? ""));
  if (wrong === undefined) return gates;
  const details = `one is ${JSON.stringify(wrong.slice(0, 80))}`;
  throw new CniError(CniCode.invalidConfig, "readiness_gates must be URLs of http or https", details);
}

function readPolicySetup(config: JsonReading): PolicySetup | undefined {
  const seconds = config.integer("policy_setup_timeout_seconds", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const statusDirectory = readPath(config, "endpoint_status_dir");
  const timeoutSeconds = Math.min(seconds, policySetupSecondsMax);
  return seconds === 0 ? undefined : { timeoutSeconds, statusDirectory };
}

/** 0 leaves it to the node, as absent does. */
function readMtu(config: JsonReading): number | undefined {
  const mtu = config.integer("mtu", 0, mtuMax) ?? 0;
  if (mtu === 0) return undefined;
  if (mtu < mtuMin)
    throw new CniError(CniCode.invalidConfig, `mtu must be 0 or ${mtuMin} to ${mtuMax}`, `it is ${mtu}`);
  return mtu;
}

function readIpam(ipam: JsonReading | undefined): IpamConfigPart {
  const type = ipam?.text("type") ?? "";
  if (ipam === undefined || type === "") throw new CniError(CniCode.invalidConfig, "ipam.type is missing");
  // The name of a program that is looked for in CNI_PATH, so never a path.
  if (!/^[a-zA-Z0-9_.-]+$/.test(type) || type === "." || type === "..") {
    throw new CniError(
      CniCode.invalidConfig,
      "ipam.type must be a plugin's name",
      `it is ${JSON.stringify(type)}`,
    );
  }
  const families: IpFamily[] = [];
  if (ipam.flag("assign_ipv4") ?? true) families.push(4);
  if (ipam.flag("assign_ipv6") ?? false) families.push(6);
  if (families.length === 0) {
    throw new CniError(CniCode.invalidConfig, "ipam.assign_ipv4 and ipam.assign_ipv6 are both false");
  }
  const pools = { 4: ipam.texts("ipv4_pools") ?? [], 6: ipam.texts("ipv6_pools") ?? [] };
  return { type, families, pools };
}
