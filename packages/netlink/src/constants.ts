/**
 * Kernel constants under their official names. Each block names the header it was taken from; bit flags are marked so.
 * Numbers the kernel adds later still decode: every decoder keeps unknown values as plain numbers.
 */

/** Message types with a meaning of their own (linux/netlink.h). */
export const Nlmsg = { NLMSG_NOOP: 1, NLMSG_ERROR: 2, NLMSG_DONE: 3, NLMSG_OVERRUN: 4 } as const;

/** Header flags, bits (linux/netlink.h). The request and reply meanings share values. */
export const Nlm = {
  NLM_F_REQUEST: 0x01,
  NLM_F_MULTI: 0x02,
  NLM_F_ACK: 0x04,
  NLM_F_DUMP_INTR: 0x10,
  NLM_F_ROOT: 0x100,
  NLM_F_MATCH: 0x200,
  NLM_F_DUMP: 0x300,
  NLM_F_REPLACE: 0x100,
  NLM_F_EXCL: 0x200,
  NLM_F_CREATE: 0x400,
  NLM_F_APPEND: 0x800,
  /** On an NLMSG_ERROR: the request is not echoed, only its header. */
  NLM_F_CAPPED: 0x100,
  /** On an NLMSG_ERROR: attributes follow. */
  NLM_F_ACK_TLVS: 0x200,
} as const;

/** Attributes of an acknowledgement (linux/netlink.h). */
export const NlmsgErrAttr = { NLMSGERR_ATTR_MSG: 1, NLMSGERR_ATTR_OFFS: 2 } as const;

/** Attribute type bits that are not part of the type (linux/netlink.h). */
export const NlaFlag = { NLA_F_NESTED: 0x8000, NLA_TYPE_MASK: 0x3fff } as const;

/** rtnetlink message types (linux/rtnetlink.h). */
export const Rtm = {
  RTM_NEWLINK: 16,
  RTM_DELLINK: 17,
  RTM_GETLINK: 18,
  RTM_NEWADDR: 20,
  RTM_DELADDR: 21,
  RTM_GETADDR: 22,
  RTM_NEWROUTE: 24,
  RTM_DELROUTE: 25,
  RTM_GETROUTE: 26,
  RTM_NEWNEIGH: 28,
  RTM_DELNEIGH: 29,
  RTM_GETNEIGH: 30,
  RTM_NEWRULE: 32,
  RTM_DELRULE: 33,
  RTM_GETRULE: 34,
  RTM_NEWQDISC: 36,
  RTM_DELQDISC: 37,
  RTM_GETQDISC: 38,
  RTM_NEWTFILTER: 44,
  RTM_DELTFILTER: 45,
  RTM_GETTFILTER: 46,
  RTM_SETNEIGHTBL: 67,
  RTM_NEWNETCONF: 80,
  RTM_DELNETCONF: 81,
  RTM_NEWNSID: 88,
  RTM_GETNSID: 90,
  RTM_NEWNEXTHOP: 104,
  RTM_DELNEXTHOP: 105,
  RTM_GETNEXTHOP: 106,
} as const;

/** Multicast groups (linux/rtnetlink.h). */
export const RtnlGroup = {
  RTNLGRP_LINK: 1,
  RTNLGRP_NEIGH: 3,
  RTNLGRP_IPV4_IFADDR: 5,
  RTNLGRP_IPV4_ROUTE: 7,
  RTNLGRP_IPV4_RULE: 8,
  RTNLGRP_IPV6_IFADDR: 9,
  RTNLGRP_IPV6_ROUTE: 11,
  RTNLGRP_IPV6_RULE: 19,
  RTNLGRP_IPV4_NETCONF: 24,
  RTNLGRP_IPV6_NETCONF: 25,
  RTNLGRP_NEXTHOP: 32,
} as const;
export type RtnlGroup = (typeof RtnlGroup)[keyof typeof RtnlGroup];

/** Address families (linux/socket.h). */
export const Af = { AF_UNSPEC: 0, AF_INET: 2, AF_BRIDGE: 7, AF_INET6: 10 } as const;

/** Link attributes (linux/if_link.h). */
export const Ifla = {
  IFLA_ADDRESS: 1,
  IFLA_IFNAME: 3,
  IFLA_MTU: 4,
  IFLA_LINK: 5,
  IFLA_MASTER: 10,
  IFLA_OPERSTATE: 16,
  IFLA_LINKINFO: 18,
  IFLA_AF_SPEC: 26,
  IFLA_NET_NS_FD: 28,
  IFLA_EXT_MASK: 29,
  IFLA_NUM_TX_QUEUES: 31,
  IFLA_NUM_RX_QUEUES: 32,
  IFLA_LINK_NETNSID: 37,
  IFLA_TARGET_NETNSID: 46,
} as const;

/** What a link dump is asked to leave out or add, bits of IFLA_EXT_MASK (linux/rtnetlink.h). */
export const RtextFilter = { RTEXT_FILTER_SKIP_STATS: 0x8 } as const;

/** Inside the part of IFLA_AF_SPEC that is IPv4's (linux/if_link.h). */
export const IflaInet = { IFLA_INET_CONF: 1 } as const;

/** Inside IFLA_INET_CONF, a u32 each (linux/ip.h). */
export const Ipv4Devconf = {
  IPV4_DEVCONF_FORWARDING: 1,
  IPV4_DEVCONF_PROXY_ARP: 3,
  IPV4_DEVCONF_ROUTE_LOCALNET: 26,
} as const;

/** Inside IFLA_LINKINFO (linux/if_link.h). */
export const IflaInfo = { IFLA_INFO_KIND: 1, IFLA_INFO_DATA: 2 } as const;

/** Inside a veth's IFLA_INFO_DATA (linux/veth.h). */
export const VethInfo = { VETH_INFO_PEER: 1 } as const;

/** Inside a VXLAN device's IFLA_INFO_DATA (linux/if_link.h). */
export const IflaVxlan = {
  IFLA_VXLAN_ID: 1,
  IFLA_VXLAN_GROUP: 2,
  IFLA_VXLAN_LINK: 3,
  IFLA_VXLAN_LOCAL: 4,
  IFLA_VXLAN_TTL: 5,
  IFLA_VXLAN_LEARNING: 7,
  IFLA_VXLAN_PROXY: 11,
  IFLA_VXLAN_RSC: 12,
  IFLA_VXLAN_PORT: 15,
  IFLA_VXLAN_GROUP6: 16,
  IFLA_VXLAN_LOCAL6: 17,
  IFLA_VXLAN_UDP_ZERO_CSUM6_TX: 19,
  IFLA_VXLAN_REMCSUM_TX: 21,
  IFLA_VXLAN_GBP: 23,
  IFLA_VXLAN_COLLECT_METADATA: 25,
  IFLA_VXLAN_GPE: 27,
  IFLA_VXLAN_TTL_INHERIT: 28,
  IFLA_VXLAN_VNIFILTER: 30,
} as const;

/** Inside an IP-in-IP device's IFLA_INFO_DATA (linux/if_tunnel.h). */
export const IflaIptun = {
  IFLA_IPTUN_LINK: 1,
  IFLA_IPTUN_LOCAL: 2,
  IFLA_IPTUN_REMOTE: 3,
  IFLA_IPTUN_ENCAP_TYPE: 15,
  IFLA_IPTUN_COLLECT_METADATA: 19,
} as const;

/** Interface flags, bits (linux/if.h). */
export const Iff = {
  IFF_UP: 0x1,
  IFF_BROADCAST: 0x2,
  IFF_LOOPBACK: 0x8,
  IFF_POINTOPOINT: 0x10,
  IFF_RUNNING: 0x40,
  IFF_NOARP: 0x80,
  IFF_PROMISC: 0x100,
  IFF_MULTICAST: 0x1000,
  IFF_LOWER_UP: 0x10000,
} as const;

/** Operational states, RFC 2863 (linux/if.h). */
export const IfOper = {
  IF_OPER_UNKNOWN: 0,
  IF_OPER_DOWN: 2,
  IF_OPER_LOWERLAYERDOWN: 3,
  IF_OPER_UP: 6,
} as const;

/** Address attributes (linux/if_addr.h). */
export const Ifa = {
  IFA_ADDRESS: 1,
  IFA_LOCAL: 2,
  IFA_LABEL: 3,
  IFA_BROADCAST: 4,
  IFA_FLAGS: 8,
} as const;

/** Address flags, bits (linux/if_addr.h). */
export const IfaFlag = {
  IFA_F_SECONDARY: 0x01,
  IFA_F_NODAD: 0x02,
  IFA_F_DADFAILED: 0x08,
  IFA_F_DEPRECATED: 0x20,
  IFA_F_TENTATIVE: 0x40,
  IFA_F_PERMANENT: 0x80,
  IFA_F_NOPREFIXROUTE: 0x200,
} as const;

/** Route attributes (linux/rtnetlink.h). */
export const Rta = {
  RTA_DST: 1,
  RTA_SRC: 2,
  RTA_IIF: 3,
  RTA_OIF: 4,
  RTA_GATEWAY: 5,
  RTA_PRIORITY: 6,
  RTA_PREFSRC: 7,
  RTA_METRICS: 8,
  RTA_MULTIPATH: 9,
  RTA_TABLE: 15,
  RTA_MARK: 16,
  RTA_VIA: 18,
  RTA_NH_ID: 30,
} as const;

/** Inside RTA_METRICS (linux/rtnetlink.h). */
export const Rtax = { RTAX_MTU: 2 } as const;

/** Route types (linux/rtnetlink.h). */
export const RouteType = {
  RTN_UNICAST: 1,
  RTN_LOCAL: 2,
  RTN_BROADCAST: 3,
  RTN_ANYCAST: 4,
  RTN_MULTICAST: 5,
  RTN_BLACKHOLE: 6,
  RTN_UNREACHABLE: 7,
  RTN_PROHIBIT: 8,
  RTN_THROW: 9,
} as const;

/** Who installed a route (linux/rtnetlink.h; 80 is Felix's, and so ours). */
export const RouteProtocol = {
  RTPROT_UNSPEC: 0,
  RTPROT_REDIRECT: 1,
  RTPROT_KERNEL: 2,
  RTPROT_BOOT: 3,
  RTPROT_STATIC: 4,
  RTPROT_RA: 9,
  RTPROT_BIRD: 12,
  RTPROT_DHCP: 16,
  RTPROT_FELIX: 80,
} as const;

/** Scopes of addresses and routes (linux/rtnetlink.h). */
export const RouteScope = {
  RT_SCOPE_UNIVERSE: 0,
  RT_SCOPE_SITE: 200,
  RT_SCOPE_LINK: 253,
  RT_SCOPE_HOST: 254,
  RT_SCOPE_NOWHERE: 255,
} as const;

/** Routing tables (linux/rtnetlink.h). */
export const RouteTable = {
  RT_TABLE_UNSPEC: 0,
  RT_TABLE_DEFAULT: 253,
  RT_TABLE_MAIN: 254,
  RT_TABLE_LOCAL: 255,
} as const;

/** Route flags, bits (linux/rtnetlink.h). */
export const RtmFlag = { RTM_F_CLONED: 0x200, RTM_F_LOOKUP_TABLE: 0x1000, RTM_F_FIB_MATCH: 0x2000 } as const;

/** Next hop flags, bits (linux/rtnetlink.h). */
export const Rtnh = { RTNH_F_DEAD: 1, RTNH_F_ONLINK: 4, RTNH_F_LINKDOWN: 16 } as const;

/** Attributes of notices of changed settings (linux/netconf.h). */
export const Netconfa = { NETCONFA_IFINDEX: 1 } as const;

/** Attributes of next hop objects (linux/nexthop.h). */
export const Nha = { NHA_ID: 1, NHA_GROUP: 2, NHA_OIF: 5, NHA_GATEWAY: 6 } as const;

/** Neighbour attributes (linux/neighbour.h). */
export const Nda = {
  NDA_DST: 1,
  NDA_LLADDR: 2,
  NDA_VLAN: 5,
  NDA_VNI: 7,
  NDA_IFINDEX: 8,
  NDA_MASTER: 9,
} as const;

/** Neighbour tables' attributes (linux/neighbour.h). */
export const Ndta = { NDTA_NAME: 1, NDTA_PARMS: 6 } as const;

/** Inside NDTA_PARMS (linux/neighbour.h). */
export const Ndtpa = { NDTPA_IFINDEX: 1, NDTPA_PROXY_DELAY: 13 } as const;

/** Neighbour states, bits (linux/neighbour.h). */
export const NeighbourState = {
  NUD_INCOMPLETE: 0x01,
  NUD_REACHABLE: 0x02,
  NUD_STALE: 0x04,
  NUD_DELAY: 0x08,
  NUD_PROBE: 0x10,
  NUD_FAILED: 0x20,
  NUD_NOARP: 0x40,
  NUD_PERMANENT: 0x80,
} as const;

/** Neighbour flags, bits (linux/neighbour.h). */
export const Ntf = { NTF_SELF: 0x02, NTF_MASTER: 0x04, NTF_PROXY: 0x08, NTF_ROUTER: 0x80 } as const;

/** Attributes of a namespace's number (linux/net_namespace.h). */
export const Netnsa = { NETNSA_NSID: 1, NETNSA_FD: 3 } as const;

/** Rule attributes (linux/fib_rules.h). */
export const Fra = {
  FRA_DST: 1,
  FRA_SRC: 2,
  FRA_IIFNAME: 3,
  FRA_GOTO: 4,
  FRA_PRIORITY: 6,
  FRA_FWMARK: 10,
  FRA_TUN_ID: 12,
  FRA_SUPPRESS_PREFIXLEN: 14,
  FRA_TABLE: 15,
  FRA_FWMASK: 16,
  FRA_OIFNAME: 17,
  FRA_L3MDEV: 19,
  FRA_UID_RANGE: 20,
  FRA_PROTOCOL: 21,
  FRA_IP_PROTO: 22,
  FRA_SPORT_RANGE: 23,
  FRA_DPORT_RANGE: 24,
} as const;

/** Rule actions (linux/fib_rules.h). */
export const RuleAction = {
  FR_ACT_TO_TBL: 1,
  FR_ACT_GOTO: 2,
  FR_ACT_NOP: 3,
  FR_ACT_BLACKHOLE: 6,
  FR_ACT_UNREACHABLE: 7,
  FR_ACT_PROHIBIT: 8,
} as const;

/** Rule flags, bits (linux/fib_rules.h). */
export const FibRule = { FIB_RULE_INVERT: 0x02 } as const;

/** Places of queueing disciplines on an interface (linux/pkt_sched.h). */
export const TcHandle = { TC_H_ROOT: 0xffff_ffff, TC_H_INGRESS: 0xffff_fff1 } as const;

/** Attributes of queueing disciplines and filters (linux/rtnetlink.h). */
export const Tca = { TCA_KIND: 1, TCA_OPTIONS: 2 } as const;

/** Inside a token bucket filter's TCA_OPTIONS (linux/pkt_sched.h). */
export const TcaTbf = {
  TCA_TBF_PARMS: 1,
  TCA_TBF_RATE64: 4,
  TCA_TBF_PRATE64: 5,
  TCA_TBF_BURST: 6,
  TCA_TBF_PBURST: 7,
} as const;

/** Inside a u32 filter's TCA_OPTIONS, and what its key may say (linux/pkt_cls.h). */
export const TcaU32 = { TCA_U32_SEL: 5, TCA_U32_ACT: 7, TC_U32_TERMINAL: 1 } as const;

/** Inside an action (linux/pkt_cls.h), and inside the action that hands packets to another interface (linux/tc_act/tc_mirred.h). */
export const TcaAct = { TCA_ACT_KIND: 1, TCA_ACT_OPTIONS: 2, TC_ACT_STOLEN: 4 } as const;
export const TcaMirred = { TCA_MIRRED_PARMS: 2, TCA_EGRESS_REDIR: 1 } as const;
