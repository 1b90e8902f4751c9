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
  /** Nobody changed anything: the interface is new, and the notice has all that it begins with. */
  readonly isNew: boolean;
}

/** What else a notice of a new interface has beside its index; one of a change has the setting that was changed. */
const settingsOfNewMin = 2;

/** Body of RTM_NEWNETCONF and RTM_DELNETCONF: | family u8 | padding to 4 | attributes |; `undefined` for other families. */
export function decodeSettingsNotice(payload: Reader): SettingsNotice | undefined {
  const family = ipFamily(payload.u8());
  payload.skip(3);
  let index = 0;
  let settings = 0;
  readAttributes(payload, (type, value) => {
    if (type === Netconfa.NETCONFA_IFINDEX) index = value.i32le();
    else settings += 1;
  });
  // Negative numbers stand for all interfaces and for the default of new ones.
  if (family === undefined) return undefined;
  return { family, ...(index > 0 ? { interfaceIndex: index } : {}), isNew: settings >= settingsOfNewMin };
}
