/**
 * rtnetlink messages as pure codecs: links, addresses, routes, next hops, neighbours, rules, acknowledgements, dumps; what
 * nftables tells of its changes, and tracked connections.
 *
 * Standards: RFC 3549, linux/netlink.h, linux/rtnetlink.h and linux/netfilter/nf_tables.h with their relatives. Host
 * order is little-endian.
 * Not here: sockets, namespaces, decisions. `linux` sends and receives, `dataplane` decides.
 */
export { type Acknowledgement, decodeAcknowledgement, decodeDone } from "./acknowledgement.ts";
export { type Change, decodeChange } from "./change.ts";
export {
  type Connection,
  type ConnectionMatch,
  decodeConnection,
  dumpConnections,
  forgetConnection,
  forgetConnections,
} from "./conntrack.ts";
export {
  Af,
  FibRule,
  IfaFlag,
  Iff,
  IfOper,
  NeighbourState,
  Nlm,
  Nlmsg,
  Ntf,
  RouteProtocol,
  RouteScope,
  RouteTable,
  RouteType,
  Rtm,
  RtnlGroup,
  RuleAction,
} from "./constants.ts";
export { familyNumber, ipFamily } from "./family.ts";
export {
  decodeAddress,
  deleteAddress,
  dumpAddresses,
  type InterfaceAddress,
  newAddress,
  type NewInterfaceAddress,
} from "./interface-address.ts";
export {
  changeLink,
  decodeLink,
  deleteLink,
  dumpLinks,
  getLink,
  type Ipv4Settings,
  type Link,
  type LinkSettings,
  newLink,
  type NewLink,
} from "./link.ts";
export { Mac } from "./mac.ts";
export { type Message, messageHeaderBytes, readMessages, type Request, writeRequest } from "./message.ts";
export { decodeNftNotice, netfilterNftablesGroup, type NftNotice } from "./nft-notice.ts";
export { decodeNamespaceId, getNamespaceId } from "./namespace-id.ts";
export {
  decodeNeighbour,
  deleteNeighbour,
  dumpNeighbours,
  type Neighbour,
  type NeighbourTable,
  type NeighbourWrite,
  newNeighbour,
  setProxyDelay,
} from "./neighbour.ts";
export {
  deleteNextHop,
  dumpNextHops,
  lacksNextHops,
  newNextHop,
  type NextHopObject,
  withNextHops,
} from "./next-hop-object.ts";
export {
  decodeRoute,
  deleteRoute,
  dumpRoutes,
  type LookupFlow,
  lookUpRoute,
  newRoute,
  type NextHop,
  type Route,
  type RouteFilter,
  type RouteWrite,
} from "./route.ts";
export type { SettingsNotice } from "./settings-notice.ts";
export type { IpipDetails, VxlanDetails } from "./tunnel-details.ts";
export { decodeRule, deleteRule, dumpRules, newRule, type Rule } from "./rule.ts";
export {
  decodeQdisc,
  decodeRedirect,
  deleteQdisc,
  dumpFilters,
  dumpQdiscs,
  newQdisc,
  newRedirect,
  type Qdisc,
  type QdiscPlace,
  type Redirect,
  type TokenBucket,
} from "./traffic-control.ts";
