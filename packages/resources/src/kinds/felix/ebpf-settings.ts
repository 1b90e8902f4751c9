import { Type } from "../../type.ts";
import { text } from "../../resource-schema.ts";
import { duration, flag, form, list, oneOf, oneOfAnyCase, portRange, whole, words } from "./setting.ts";

/** `Auto` takes the kernel's own timeout. */
function timeout(absent: string) {
  return Type.Optional(text("durationOrAuto", { description: `${absent} where absent.` }));
}

const maglev = { minimum: 1, maximum: 3000 };

/** The eBPF dataplane. */
export const ebpfSettings = {
  bpfAttachType: oneOf(["Netkit", "TC", "TCX"], "Netkit"),
  bpfCTLBLogFilter: words(""),
  bpfConnectTimeLoadBalancing: oneOf(["TCP", "Enabled", "Disabled"], "TCP"),
  bpfConnectTimeLoadBalancingEnabled: flag(""),
  bpfConntrackLogLevel: oneOf(["Off", "Debug"], "Off"),
  bpfConntrackMode: oneOf(["Auto", "Userspace", "BPFProgram"], "Auto"),
  bpfConntrackTimeouts: Type.Optional(
    Type.Object({
      creationGracePeriod: timeout("10s"),
      tcpSynSent: timeout("20s"),
      tcpEstablished: timeout("1h"),
      tcpFinsSeen: timeout("Auto"),
      tcpResetSeen: timeout("40s"),
      udpTimeout: timeout("60s"),
      genericTimeout: timeout("10m"),
      icmpTimeout: timeout("5s"),
    }),
  ),
  bpfDSROptoutCIDRs: list("ipOrCidr"),
  bpfDataIfacePattern: form("regularExpression", "^((en|wl|ww|sl|ib)[Popsx].*|(eth|wlan|wwan|bond).*)"),
  bpfDisableGROForIfaces: form("regularExpression"),
  bpfDisableUnprivileged: flag(true),
  bpfEnabled: flag(false),
  bpfEnforceRPF: oneOfAnyCase(["Disabled", "Strict", "Loose"], "Loose"),
  bpfExcludeCIDRsFromNAT: list("ipOrCidr"),
  bpfExportBufferSizeMB: whole(1),
  bpfExtToServiceConnmark: whole(0),
  bpfExternalServiceMode: oneOfAnyCase(["Tunnel", "DSR"], "Tunnel"),
  bpfForceTrackPacketsFromIfaces: list("interfaceFilter", "docker+"),
  bpfHostConntrackBypass: flag(false),
  bpfHostNetworkedNATWithoutCTLB: oneOf(["Enabled", "Disabled"], "Enabled"),
  bpfIPFragTimeout: duration("0s"),
  bpfIPFragmentReassemblyEnabled: flag(true),
  bpfJITHardening: oneOf(["Auto", "Strict"], "Auto"),
  bpfKubeProxyEndpointSlicesEnabled: flag(""),
  bpfKubeProxyHealthzPort: whole(10256),
  bpfKubeProxyIptablesCleanupEnabled: flag(true),
  bpfKubeProxyMinSyncPeriod: duration("1s"),
  bpfL3IfacePattern: form("regularExpression"),
  bpfLogFilters: Type.Optional(Type.Map(Type.String())),
  bpfLogLevel: oneOfAnyCase(["Off", "Info", "Debug"], "Off"),
  bpfMaglevMaxEndpointsPerService: whole(100, maglev),
  bpfMaglevMaxServices: whole(100, maglev),
  bpfMapSizeConntrack: whole(512000),
  bpfMapSizeConntrackCleanupQueue: whole(100000, { minimum: 1 }),
  bpfMapSizeConntrackScaling: oneOfAnyCase(["Disabled", "DoubleIfFull"], "DoubleIfFull"),
  bpfMapSizeIPSets: whole(1048576),
  bpfMapSizeIfState: whole(1000),
  bpfMapSizeNATAffinity: whole(65536),
  bpfMapSizeNATBackend: whole(262144),
  bpfMapSizeNATFrontend: whole(65536),
  bpfMapSizePerCpuConntrack: whole(0),
  bpfMapSizeRoute: whole(262144),
  bpfOverlayHostSourceIP: oneOf(["TunnelAddress", "HostAddress"], "TunnelAddress"),
  bpfPSNATPorts: portRange("20000:29999"),
  bpfPolicyDebugEnabled: flag(true),
  bpfProfiling: oneOf(["Enabled", "Disabled"], "Disabled"),
  bpfRedirectToPeer: oneOf(["Enabled", "Disabled", "L2Only"], "Enabled"),
} as const;
