import { IpAddress, type Ipv4, type Ipv6, Prefix } from "@caracal/net";
import { CniCode, CniError } from "./cni-error.ts";
import { atLeast, type CniVersion } from "./cni-version.ts";
import type { JsonObject, JsonReading } from "./json-reading.ts";

/** The result of an ADD, independent of the version in which it is written (CNI 1.1.0, "ADD Success"). */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: JsonObject | undefined;
}

export interface CniInterface {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  /** The network namespace's path; absent on the host. */
  readonly sandbox?: string;
}

export interface CniIp {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly gateway?: IpAddress;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

export interface CniRoute {
  readonly destination: Prefix;
  readonly gateway?: IpAddress;
}

export const emptyResult: CniResult = { interfaces: [], ips: [], routes: [], dns: undefined };

/** `later` after `earlier`, as a plugin of a chain adds to what came before: interface numbers move on. */
export function appendResult(earlier: CniResult, later: CniResult): CniResult {
  const shift = earlier.interfaces.length;
  return {
    interfaces: [...earlier.interfaces, ...later.interfaces],
    ips: [
      ...earlier.ips,
      ...later.ips.map((ip) =>
        ip.interface === undefined ? ip : { ...ip, interface: ip.interface + shift },
      ),
    ],
    routes: [...earlier.routes, ...later.routes],
    dns: later.dns ?? earlier.dns,
  };
}

/** What `calico-ipam` gives besides the addresses: to each of them a route that is nothing but it. */
export function hostRoutes(addresses: readonly IpAddress[]): readonly CniRoute[] {
  return addresses.map((address) => ({ destination: Prefix.host(address) }));
}

/** JSON text of the result in a version of the specification. */
export function formatResult(result: CniResult, cniVersion: CniVersion): string {
  const body = atLeast(cniVersion, "0.3.0") ? listForm(result, cniVersion) : pairForm(result);
  return `${JSON.stringify({ cniVersion, ...body, dns: result.dns ?? {} })}\n`;
}

/**
 * From 0.3.0 on: lists. Until 1.0.0 each address names its family. An interface's MTU is of 1.1.0, but Calico tells it from 1.0.0
 * on, as does whoever uses CNI's own library.
 */
function listForm(result: CniResult, cniVersion: CniVersion): JsonObject {
  return {
    // An IPAM plugin's result has no interfaces, and leaves the member out.
    ...(result.interfaces.length > 0 && {
      interfaces: result.interfaces.map(({ mtu, ...rest }) => ({
        ...rest,
        ...(mtu !== undefined && atLeast(cniVersion, "1.0.0") && { mtu }),
      })),
    }),
    ips: result.ips.map((ip) => ({
      ...(!atLeast(cniVersion, "1.0.0") && { version: String(IpAddress.family(ip.address)) }),
      ...(ip.interface !== undefined && { interface: ip.interface }),
      address: `${IpAddress.format(ip.address)}/${ip.prefixLength}`,
      ...(ip.gateway !== undefined && { gateway: IpAddress.format(ip.gateway) }),
    })),
    ...(result.routes.length > 0 && { routes: result.routes.map(formatRoute) }),
  };
}

/** 0.1.0 and 0.2.0: at most one address a family, and no interfaces. */
function pairForm(result: CniResult): JsonObject {
  const side = (is: (address: IpAddress) => address is Ipv4 | Ipv6): JsonObject | undefined => {
    const ip = result.ips.find(({ address }) => is(address));
    if (ip === undefined) return undefined;
    const routes = result.routes.filter(({ destination }) => is(destination.address)).map(formatRoute);
    return {
      ip: `${IpAddress.format(ip.address)}/${ip.prefixLength}`,
      ...(ip.gateway !== undefined && { gateway: IpAddress.format(ip.gateway) }),
      ...(routes.length > 0 && { routes }),
    };
  };
  const ip4 = side(IpAddress.isIpv4);
  const ip6 = side(IpAddress.isIpv6);
  return { ...(ip4 !== undefined && { ip4 }), ...(ip6 !== undefined && { ip6 }) };
}

function formatRoute(route: CniRoute): JsonObject {
  return {
    dst: Prefix.format(route.destination),
    ...(route.gateway !== undefined && { gw: IpAddress.format(route.gateway) }),
  };
}

/** Reads another plugin's result, in any version's form. */
export function readResult(json: JsonReading): CniResult {
  const old = [json.object("ip4"), json.object("ip6")].filter((side) => side !== undefined);
  const interfaces = (json.objects("interfaces") ?? []).map(readInterface);
  return {
    interfaces,
    ips: [
      ...(json.objects("ips") ?? []).map((ip) => readIp(ip, interfaces.length)),
      ...old.map((side) => readAddress(side, "ip")),
    ],
    routes: [json, ...old].flatMap((holder) => (holder.objects("routes") ?? []).map(readRoute)),
    dns: json.object("dns")?.value,
  };
}

function readInterface(json: JsonReading): CniInterface {
  const mac = json.text("mac");
  const mtu = json.integer("mtu", 0, 0xffff_ffff);
  const sandbox = json.text("sandbox");
  return {
    name: json.text("name") ?? "",
    ...(mac !== undefined && { mac }),
    ...(mtu !== undefined && { mtu }),
    ...(sandbox !== undefined && { sandbox }),
  };
}

function readIp(json: JsonReading, interfaceCount: number): CniIp {
  const index = json.integer("interface", 0, interfaceCount === 0 ? 0xffff : interfaceCount - 1);
  return { ...readAddress(json, "address"), ...(index !== undefined && { interface: index }) };
}

function readAddress(json: JsonReading, key: string): CniIp {
  const text = json.required(key, json.text(key));
  const found = Prefix.parseInterface(text);
  if (found === undefined)
    throw new CniError(CniCode.decodeFailure, `${text} is no address with a prefix length`);
  const gateway = readOptionalAddress(json.text("gateway"));
  return {
    address: found.address,
    prefixLength: found.network.length,
    ...(gateway !== undefined && { gateway }),
  };
}

function readRoute(json: JsonReading): CniRoute {
  const text = json.required("dst", json.text("dst"));
  const destination = Prefix.parseInterface(text)?.network;
  if (destination === undefined) throw new CniError(CniCode.decodeFailure, `${text} is no network`);
  const gateway = readOptionalAddress(json.text("gw"));
  return { destination, ...(gateway !== undefined && { gateway }) };
}

function readOptionalAddress(text: string | undefined): IpAddress | undefined {
  if (text === undefined || text === "") return undefined;
  const address = IpAddress.parse(text);
  if (address === undefined) throw new CniError(CniCode.decodeFailure, `${text} is no address`);
  return address;
}
