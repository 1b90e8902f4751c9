import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import { type CniCall, parseArguments } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import type { NetworkConfig } from "./network-config.ts";
import { parsePodMac } from "./pod-mac.ts";

/** CNI_ARGS `IP=…`: this address and no other. */
function requestedAddress(call: CniCall): IpAddress | undefined {
  const text = parseArguments(call.args).get("IP") ?? "";
  if (text === "") return undefined;
  const address = IpAddress.parse(text);
  if (address === undefined) {
    throw new CniError(
      CniCode.invalidEnvironment,
      "CNI_ARGS IP must be an address",
      `it is ${JSON.stringify(text.slice(0, 80))}`,
    );
  }
  return address;
}

/**
 * What the runtime asks for by the capability `ips` (addresses, or CIDRs of them), else by CNI_ARGS `IP=…`: these and no
 * others, at most one of each family.
 */
export function requestedAddresses(call: CniCall, config: NetworkConfig): readonly IpAddress[] {
  const texts = config.requested.ips;
  const found = texts.flatMap((text) => Prefix.parseInterface(text)?.address ?? IpAddress.parse(text) ?? []);
  const isEach = new Set(found.map(IpAddress.family)).size === texts.length;
  if (found.length < texts.length || !isEach) {
    const shown = JSON.stringify(texts).slice(0, 80);
    const message = "runtimeConfig.ips must be a list of addresses, at most one of each family";
    throw new CniError(CniCode.invalidConfig, message, `it is ${shown}`);
  }
  const argument = found.length > 0 ? undefined : requestedAddress(call);
  return argument === undefined ? found.toSorted(IpAddress.compare) : [argument];
}

/** The MAC that the runtime asks for by the capability `mac`, else by CNI_ARGS `MAC=…`. */
export function requestedMac(call: CniCall, config: NetworkConfig): string | undefined {
  const text = config.requested.mac ?? parseArguments(call.args).get("MAC") ?? "";
  if (text === "") return undefined;
  const mac = parsePodMac(text);
  if (mac !== undefined) return mac;
  const message = "the MAC that the runtime asks for must be that of one interface";
  throw new CniError(CniCode.invalidConfig, message, `it is ${JSON.stringify(text.slice(0, 80))}`);
}

/** The families that IPAM is asked for: the requested address's, or the configuration's. */
export function requestedFamilies(call: CniCall, config: NetworkConfig): readonly IpFamily[] {
  const families = requestedAddresses(call, config).map(IpAddress.family);
  return families.length === 0 ? config.ipam.families : families;
}
