import { Type } from "../../type.ts";
import { anyCase, port, text } from "../../resource-schema.ts";
import { duration, flag, form, list, oneOf, oneOfAnyCase, portRange, whole, words } from "./setting.ts";

/** Traffic that no policy of a host endpoint can stop, so that the host stays in reach. */
function failsafePorts(absent: string) {
  return Type.Optional(
    Type.Array(
      Type.Object({
        protocol: Type.Optional(anyCase(["TCP", "UDP", "SCTP"], { description: "TCP where absent." })),
        port: Type.Integer({ minimum: 0, maximum: 65535 }),
        net: Type.Optional(text("ipOrCidr", { description: "The other side; absent is any." })),
      }),
      { description: `${absent} where absent.` },
    ),
  );
}

const tableRange = Type.Object({ min: Type.Integer(), max: Type.Integer() });
const routePriority = { minimum: 1, maximum: 2147483646 };

/** Node ports in one match of iptables: 15 slots, of which a range takes two. */
const maxNodePortRanges = 7;

/** What the agent does to traffic and routes, whichever way it programs them. */
export const dataplaneSettings = {
  allowIPIPPacketsFromWorkloads: flag(false),
  allowVXLANPacketsFromWorkloads: flag(false),
  awsSrcDstCheck: oneOf(["DoNothing", "Enable", "Disable"], "DoNothing"),
  cgroupV2Path: words(""),
  chainInsertMode: oneOfAnyCase(["Insert", "Append"], "Insert"),
  dataplaneDriver: words("calico-iptables-plugin"),
  dataplaneWatchdogTimeout: duration("1m30s"),
  defaultEndpointToHostAction: oneOfAnyCase(["Drop", "Accept", "Return"], "Drop"),
  deviceRouteProtocol: whole(3),
  deviceRouteSourceAddress: form("ipv4"),
  deviceRouteSourceAddressIPv6: form("ipv6"),
  disableConntrackInvalidCheck: flag(false),
  endpointReportingDelay: duration("1s"),
  endpointReportingEnabled: flag(false),
  endpointStatusPathPrefix: words("/var/run/calico"),
  externalNodesList: list("ipv4OrCidr"),
  failsafeInboundHostPorts: failsafePorts(
    "tcp:22,udp:68,tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667",
  ),
  failsafeOutboundHostPorts: failsafePorts(
    "udp:53,udp:67,tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667",
  ),
  floatingIPs: oneOf(["Enabled", "Disabled"], "Disabled"),
  ipForwarding: oneOf(["Enabled", "Disabled"], "Enabled"),
  ipv4ElevatedRoutePriority: whole(512, routePriority),
  ipv4NormalRoutePriority: whole(1024, routePriority),
  ipv6ElevatedRoutePriority: whole(512, routePriority),
  ipv6NormalRoutePriority: whole(1024, routePriority),
  interfaceExclude: words("kube-ipvs0"),
  interfacePrefix: words("cali"),
  interfaceRefreshInterval: duration("1m30s"),
  ipv6Support: flag(true),
  istioAmbientMode: oneOf(["Enabled", "Disabled"], "Disabled"),
  istioDSCPMark: Type.Optional(
    Type.Union([Type.Integer({ minimum: 0, maximum: 63 }), text("dscp")], {
      description: "23 where absent.",
    }),
  ),
  kubeNodePortRanges: Type.Optional(
    Type.Array(port("portRange", 0), {
      maxItems: maxNodePortRanges,
      description: "30000:32767 where absent.",
    }),
  ),
  liveMigrationRouteConvergenceTime: duration("30s"),
  localSubnetL2Reachability: oneOf(["Disabled", "PodsAndLoadBalancers"], "Disabled"),
  localSubnetL2ReachabilityRefreshInterval: duration("2m0s"),
  metadataAddr: words("127.0.0.1"),
  metadataPort: whole(8775, { minimum: 0, maximum: 65535 }),
  mtuIfacePattern: form("regularExpression", "^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)"),
  natOutgoingAddress: form("ipv4"),
  natOutgoingExclusions: oneOf(["IPPoolsOnly", "IPPoolsAndHostIPs"], "IPPoolsOnly"),
  natPortRange: portRange("0"),
  netlinkTimeout: duration("10s"),
  openstackRegion: form("regionName"),
  policySyncPathPrefix: words(""),
  programClusterRoutes: oneOf(
    ["Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly"],
    "EnabledIPIPOnly",
  ),
  removeExternalRoutes: flag(true),
  reportingInterval: duration("30s"),
  reportingTTL: duration("1m30s"),
  requireMTUFile: flag(false),
  routeRefreshInterval: duration("1m30s"),
  routeSource: oneOfAnyCase(["CalicoIPAM", "WorkloadIPs"], "CalicoIPAM"),
  routeSyncDisabled: flag(false),
  routeTableRange: Type.Optional(tableRange),
  routeTableRanges: Type.Optional(Type.Array(tableRange)),
  serviceLoopPrevention: oneOfAnyCase(["Drop", "Reject", "Disabled"], "Drop"),
  sidecarAccelerationEnabled: flag(false),
  useInternalDataplaneDriver: flag(true),
  windowsManageFirewallRules: oneOf(["Enabled", "Disabled"], "Disabled"),
  workloadSourceSpoofing: oneOfAnyCase(["Disabled", "Any"], "Disabled"),
  genericXDPEnabled: flag(false),
  xdpEnabled: flag(true),
  xdpRefreshInterval: duration("1m30s"),
} as const;
