/**
 * The Linux kernel for the rest of the house: netlink sockets, nftables, network namespaces, settings, child processes
 * in namespaces, TCP socket options, packets captured and sent raw.
 *
 * Standards: netlink(7), rtnetlink(7), nft(8), network_namespaces(7), tcp(7) and ip(7) socket options; the codecs are
 * those of `netlink`.
 * Not here: what should be in the kernel. `dataplane` decides, this package carries out.
 */
export { Conntrack, type ConntrackOptions } from "./conntrack.ts";
export { type ChecksumProbe, type ChecksumVerdict, probeTxChecksum } from "./checksum-probe.ts";
export { FileLock } from "./file-lock.ts";
export { KernelError } from "./kernel-error.ts";
export { type KernelPath, KernelResolver } from "./kernel-resolver.ts";
export { LinuxKernel } from "./linux-kernel.ts";
export { findLinkedNamespace } from "./linked-namespace.ts";
export { Monitor, type MonitorOptions, type MonitorTopic } from "./monitor.ts";
export {
  createNamespace,
  deleteNamespace,
  listNamespaces,
  Namespace,
  namespacePath,
  type NamespaceTarget,
  withNamespace,
} from "./namespace.ts";
export { NftRuleset, type NftRulesetOptions } from "./nft-ruleset.ts";
export { observeNetwork } from "./observe-network.ts";
export { type BatchFailure, NetlinkSocket } from "./netlink-socket.ts";
export { type CapturedPacket, PacketCapture } from "./packet-capture.ts";
export { type ProbeSighting, ProbeWatch } from "./probe-watch.ts";
export { sendRawPacket } from "./raw-packet.ts";
export { offload } from "./offload.ts";
export { type PlacedLinkSettings, Rtnetlink, type VethEnd } from "./rtnetlink.ts";
export { spawnInNamespace } from "./spawn-in-namespace.ts";
export { readSysctl, writeSysctl } from "./sysctl.ts";
export { systemClock } from "./system-clock.ts";
export { tcpOptions } from "./tcp-options.ts";
export { LinuxShaping } from "./linux-shaping.ts";
