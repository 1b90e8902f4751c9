import { IpAddress, type IpFamily } from "@caracal/net";
import { type CniCall, parseArguments } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import type { NetworkConfig } from "./network-config.ts";

/** CNI_ARGS `IP=…`: this address and no other. */
export function requestedAddress(call: CniCall): IpAddress | undefined {
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

/** The families that IPAM is asked for: the requested address's, or the configuration's. */
export function requestedFamilies(call: CniCall, config: NetworkConfig): readonly IpFamily[] {
  const address = requestedAddress(call);
  return address === undefined ? config.ipam.families : [IpAddress.family(address)];
}
