import type { IpFamily } from "@caracal/net";
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
  /** Pod's and namespace's profiles rather than the network's. */
  readonly usesKubernetesPolicy: boolean;
  readonly allowsIpForwarding: boolean;
  /** Default routes in addition to those that the IPAM plugin gives. */
  readonly includeDefaultRoutes: boolean;
  /** What the cluster lets annotations ask for (`feature_control`). */
  readonly features: { readonly ipAddrsNoIpam: boolean; readonly floatingIps: boolean };
  /** The pod's annotations, where the runtime hands them on (capability `io.kubernetes.cri.pod-annotations`). */
  readonly podAnnotations: ReadonlyMap<string, string>;
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

export interface ValidAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

/** CNI specification, "Network configuration": a name starts with an alphanumeric; Calico takes these characters. */
const namePattern = /^[a-zA-Z0-9_.-]+$/;
const nameCharactersMax = 253;
/** RFC 791 §3.1: every network must carry 68 bytes. The upper end is the kernel's for veth. */
const mtuMin = 68;
const mtuMax = 65535;

/** The version to answer in, even where the rest of the configuration cannot be read. */
export function answerVersion(stdin: string): CniVersion {
  try {
    const version = JsonReading.parse(stdin, "").text("cniVersion") ?? impliedVersion;
    return isSupported(version) ? version : latestVersion;
  } catch {
    return latestVersion;
  }
}

/** Reads stdin; throws a `CniError` that names the member at fault. */
export function parseNetworkConfig(stdin: string): NetworkConfig {
  const config = JsonReading.parse(stdin, "the network configuration on stdin");
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
  if (!namePattern.test(name) || name.length > nameCharactersMax) {
    const allowed = "letters, digits, '_', '.' and '-'";
    throw new CniError(
      CniCode.invalidConfig,
      `name must be ${allowed}`,
      `it is ${JSON.stringify(name.slice(0, 80))}`,
    );
  }
  const previous = config.object("prevResult");
  const features = config.object("feature_control");
  return {
    cniVersion,
    name,
    ipam: readIpam(config.object("ipam")),
    mtu: readMtu(config),
    requireMtuFile: config.flag("require_mtu_file") ?? false,
    usesKubernetesPolicy: config.object("policy")?.text("type") === "k8s",
    allowsIpForwarding: config.object("container_settings")?.flag("allow_ip_forwarding") ?? false,
    includeDefaultRoutes: config.flag("include_default_routes") ?? false,
    features: {
      ipAddrsNoIpam: features?.flag("ip_addrs_no_ipam") ?? false,
      floatingIps: features?.flag("floating_ips") ?? false,
    },
    podAnnotations: config.object("runtimeConfig")?.textMap("io.kubernetes.cri.pod-annotations") ?? new Map(),
    previous: previous === undefined ? undefined : readResult(previous),
    validAttachments: config.objects("cni.dev/valid-attachments")?.map((item) => ({
      containerId: item.required("containerID", item.text("containerID")),
      ifname: item.required("ifname", item.text("ifname")),
    })),
  };
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
