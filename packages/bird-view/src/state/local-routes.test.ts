/**
 * Aim: static1, direct1 and kernel1 bring what BIRD's protocols of these names would. Method: a node's dumps with one of
 * everything that is taken or left out, and a clock that the test sets.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import {
  IfaFlag,
  Iff,
  type InterfaceAddress,
  type Link,
  type NextHop,
  type Route,
  RouteProtocol,
  RouteScope,
  RouteTable,
  RouteType,
} from "@caracal/netlink";
import type { BirdRoute } from "../bird-snapshot.ts";
import { FirstSeen } from "./first-seen.ts";
import { localRoutes, type LocalRoutesInput } from "./local-routes.ts";

function ip(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

function net(text: string): Prefix {
  return Prefix.parse(text) ?? assert.fail(text);
}

function link(index: number, name: string, flags: number = Iff.IFF_UP): Link {
  return { index, name, flags, operState: 0, mtu: 1500 };
}

function address(
  interfaceIndex: number,
  text: string,
  rest: Partial<InterfaceAddress> = {},
): InterfaceAddress {
  const own = Prefix.parseInterface(text) ?? assert.fail(text);
  const { address: value, network } = own;
  return { interfaceIndex, address: value, prefixLength: network.length, scope: 0, flags: 0, ...rest };
}

function route(destination: string, nextHops: readonly NextHop[], rest: Partial<Route> = {}): Route {
  return {
    destination: net(destination),
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BOOT,
    scope: RouteScope.RT_SCOPE_UNIVERSE,
    table: RouteTable.RT_TABLE_MAIN,
    metric: 0,
    nextHops,
    ...rest,
  };
}

const eth0 = { interfaceIndex: 2 };

function through(gateway: string): NextHop[] {
  return [{ ...eth0, gateway: ip(gateway) }];
}

const empty: LocalRoutesInput = {
  family: 4,
  kernel: { routes: [], links: [link(1, "lo"), link(2, "eth0")], addresses: [] },
  blackholes: [],
  interfacePrefix: "cali",
  ignoredInterfaces: [],
};

function fromKernel(kernel: Partial<LocalRoutesInput["kernel"]>): LocalRoutesInput {
  return { ...empty, kernel: { ...empty.kernel, ...kernel } };
}

/** `protocol prefix via`, in the order given. */
function told(input: LocalRoutesInput): string[] {
  return localRoutes(input, new FirstSeen(() => 0)).map(describe);
}

function describe({ protocol, prefix, via }: BirdRoute): string {
  const where =
    via.kind === "gateway"
      ? `${IpAddress.format(via.gateway)} ${via.interface}`
      : via.kind === "device"
        ? via.interface
        : via.kind;
  return `${protocol} ${Prefix.format(prefix)} ${where}`;
}

test("direct1 has the subnets of interfaces that are up, once each, and not those that are left out", () => {
  const kernel = {
    links: [
      link(1, "lo"),
      link(2, "eth0"),
      link(3, "tunl0"),
      link(4, "kube-ipvs0"),
      link(5, "eth9"),
      link(6, "down0", 0),
      link(7, "ppp0"),
      link(8, "cali77"),
    ],
    addresses: [
      address(7, "10.7.0.1/32", { peer: ip("10.7.0.2") }),
      address(1, "127.0.0.1/8"),
      address(2, "192.168.0.81/24"),
      address(2, "192.168.0.99/24"),
      address(2, "192.168.7.2/24", { flags: IfaFlag.IFA_F_SECONDARY }),
      address(3, "10.244.42.66/32"),
      address(4, "10.96.0.1/32"),
      address(5, "10.5.0.1/24"),
      address(6, "10.6.0.1/24"),
      address(8, "10.8.0.1/32"),
      address(99, "10.9.0.1/32"),
    ],
  };
  assert.deepEqual(told({ ...fromKernel(kernel), ignoredInterfaces: ["eth9", "p?.0"] }), [
    "direct1 192.168.0.0/24 eth0",
    "direct1 10.244.42.66/32 tunl0",
    "direct1 10.7.0.2/32 ppp0",
  ]);
  const all = told({ ...fromKernel(kernel), ignoredInterfaces: ["e*", "ppp?"], interfacePrefix: "tap" });
  assert.deepEqual(all, ["direct1 10.244.42.66/32 tunl0", "direct1 10.8.0.1/32 cali77"]);
});

test("IPv6 addresses count once they are the interface's, and those of the host or link alone do not", () => {
  const addresses = [
    address(1, "::1/128"),
    address(2, "fe80::1/64"),
    address(2, "fd00::1/64"),
    address(2, "fd01::1/64", { flags: IfaFlag.IFA_F_TENTATIVE }),
    address(2, "fd02::1/64", { flags: IfaFlag.IFA_F_PERMANENT | IfaFlag.IFA_F_DADFAILED }),
    address(2, "192.168.0.81/24"),
  ];
  assert.deepEqual(told({ ...fromKernel({ addresses }), family: 6 }), ["direct1 fd00::/64 eth0"]);
});

test("kernel1 learns the main table's alien routes of all kinds, the least metric of each network", () => {
  const typed = (type: number, destination: string): Route => route(destination, [], { type });
  const routes = [
    route("0.0.0.0/0", through("192.168.0.1"), { protocol: RouteProtocol.RTPROT_STATIC }),
    route("10.1.0.0/24", through("192.168.0.3"), { metric: 20 }),
    route("10.1.0.0/24", through("192.168.0.2"), { metric: 10 }),
    route("10.1.0.0/24", through("192.168.0.4"), { metric: 10 }),
    route("10.2.0.0/24", [...through("192.168.0.2"), ...through("192.168.0.3")]),
    route("10.2.1.0/24", [...through("192.168.0.2"), eth0]),
    typed(RouteType.RTN_UNREACHABLE, "10.3.0.0/24"),
    typed(RouteType.RTN_PROHIBIT, "10.3.1.0/24"),
    typed(RouteType.RTN_BLACKHOLE, "10.3.2.0/24"),
    typed(RouteType.RTN_THROW, "10.3.3.0/24"),
    route("10.4.0.0/24", [{ interfaceIndex: 99 }]),
    route("10.5.0.0/24", [eth0], { table: 100 }),
    route("10.6.0.0/24", [eth0], { protocol: RouteProtocol.RTPROT_REDIRECT }),
    route("10.7.0.0/24", [eth0], { protocol: RouteProtocol.RTPROT_KERNEL }),
    route("10.8.0.0/24", [eth0], { protocol: RouteProtocol.RTPROT_BIRD }),
    route("10.9.0.0/24", through("192.168.0.9"), { protocol: RouteProtocol.RTPROT_FELIX }),
    route("127.1.0.0/24", [eth0]),
    route("224.0.0.0/4", [eth0]),
    route("fd00::/64", [eth0]),
  ];
  assert.deepEqual(told(fromKernel({ routes })), [
    "kernel1 0.0.0.0/0 192.168.0.1 eth0",
    "kernel1 10.1.0.0/24 192.168.0.2 eth0",
    "kernel1 10.2.0.0/24 multipath",
    "kernel1 10.3.0.0/24 unreachable",
    "kernel1 10.3.1.0/24 prohibited",
    "kernel1 10.3.2.0/24 blackhole",
    "kernel1 10.9.0.0/24 192.168.0.9 eth0",
  ]);
});

test("static1 has the family's blackholes, and peers behind a gateway that is a neighbour", () => {
  const input = {
    ...fromKernel({ addresses: [address(2, "192.168.0.81/24")] }),
    blackholes: [net("10.244.42.64/26"), net("fd00::/122")],
    reachableBy: [
      { peer: ip("10.1.1.1"), gateway: ip("192.168.0.1") },
      { peer: ip("10.1.1.2"), gateway: ip("172.16.0.1") },
    ],
  };
  assert.deepEqual(told(input), [
    "static1 10.244.42.64/26 blackhole",
    "static1 10.1.1.1/32 192.168.0.1 eth0",
    "direct1 192.168.0.0/24 eth0",
  ]);
});

test("a route keeps its time until it goes or leads elsewhere", () => {
  let clockMs = 1;
  const firstSeen = new FirstSeen(() => clockMs);
  const since = (gateway: string): readonly number[] => {
    const routes = [route("10.0.0.0/8", [eth0]), route("0.0.0.0/0", through(gateway))];
    return localRoutes(fromKernel({ routes }), firstSeen).map(({ sinceMs }) => sinceMs);
  };
  assert.deepEqual(since("192.168.0.1"), [1, 1]);
  clockMs = 2;
  assert.deepEqual(since("192.168.0.1"), [1, 1]);
  assert.deepEqual(since("192.168.0.2"), [1, 2]);
  localRoutes(empty, firstSeen);
  clockMs = 3;
  assert.deepEqual(since("192.168.0.2"), [3, 3]);
});
