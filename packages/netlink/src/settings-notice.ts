import type { IpFamily, Reader } from "@caracal/net";
import { readAttributes } from "./attribute.ts";
import { Netconfa } from "./constants.ts";
import { ipFamily } from "./family.ts";

/**
 * Word that somebody changed how a family forwards, checks sources or answers for others, on one interface or, without an index,
 * on all of them or those to come (linux/netconf.h). What it is now stands below /proc/sys.
 */
export interface SettingsNotice {
  readonly family: IpFamily;
  readonly interfaceIndex?: number;
}

/** Body of RTM_NEWNETCONF and RTM_DELNETCONF: | family u8 | padding to 4 | attributes |; `undefined` for other families. */
export function decodeSettingsNotice(payload: Reader): SettingsNotice | undefined {
  const family = ipFamily(payload.u8());
  payload.skip(3);
  let index = 0;
  readAttributes(payload, (type, value) => {
    if (type === Netconfa.NETCONFA_IFINDEX) index = value.i32le();
  });
  // Negative numbers stand for all interfaces and for the default of new ones.
  return family === undefined ? undefined : { family, ...(index > 0 ? { interfaceIndex: index } : {}) };
}
