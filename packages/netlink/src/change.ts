import { Rtm } from "./constants.ts";
import { decodeAddress, type InterfaceAddress } from "./interface-address.ts";
import { decodeLink, type Link } from "./link.ts";
import type { Message } from "./message.ts";
import { decodeNeighbour, type Neighbour } from "./neighbour.ts";
import { decodeNextHop, type NextHopObject } from "./next-hop-object.ts";
import { decodeRoute, type Route } from "./route.ts";
import { decodeRule, type Rule } from "./rule.ts";
import { decodeSettingsNotice, type SettingsNotice } from "./settings-notice.ts";

/** An object of the kernel, as a dump lists it or a notice announces it; `gone` marks one that was removed. */
export type Change =
  | { readonly kind: "link"; readonly gone: boolean; readonly link: Link }
  | { readonly kind: "address"; readonly gone: boolean; readonly address: InterfaceAddress }
  | { readonly kind: "route"; readonly gone: boolean; readonly route: Route }
  | { readonly kind: "neighbour"; readonly gone: boolean; readonly neighbour: Neighbour }
  | { readonly kind: "nextHop"; readonly gone: boolean; readonly object: NextHopObject }
  | { readonly kind: "settings"; readonly gone: boolean; readonly settings: SettingsNotice }
  | { readonly kind: "rule"; readonly gone: boolean; readonly rule: Rule };

/** What a message says about an object, or `undefined` for messages about anything else. */
export function decodeChange(message: Message): Change | undefined {
  const { type, payload } = message;
  switch (type) {
    case Rtm.RTM_NEWLINK:
    case Rtm.RTM_DELLINK:
      return { kind: "link", gone: type === Rtm.RTM_DELLINK, link: decodeLink(payload) };
    case Rtm.RTM_NEWADDR:
    case Rtm.RTM_DELADDR:
      return { kind: "address", gone: type === Rtm.RTM_DELADDR, address: decodeAddress(payload) };
    case Rtm.RTM_NEWROUTE:
    case Rtm.RTM_DELROUTE: {
      const route = decodeRoute(payload);
      return route === undefined ? undefined : { kind: "route", gone: type === Rtm.RTM_DELROUTE, route };
    }
    case Rtm.RTM_NEWNEIGH:
    case Rtm.RTM_DELNEIGH:
      return { kind: "neighbour", gone: type === Rtm.RTM_DELNEIGH, neighbour: decodeNeighbour(payload) };
    case Rtm.RTM_NEWNEXTHOP:
    case Rtm.RTM_DELNEXTHOP:
      return { kind: "nextHop", gone: type === Rtm.RTM_DELNEXTHOP, object: decodeNextHop(payload) };
    case Rtm.RTM_NEWNETCONF:
    case Rtm.RTM_DELNETCONF: {
      const settings = decodeSettingsNotice(payload);
      return settings === undefined
        ? undefined
        : { kind: "settings", gone: type === Rtm.RTM_DELNETCONF, settings };
    }
    case Rtm.RTM_NEWRULE:
    case Rtm.RTM_DELRULE: {
      const rule = decodeRule(payload);
      return rule === undefined ? undefined : { kind: "rule", gone: type === Rtm.RTM_DELRULE, rule };
    }
    default:
      return undefined;
  }
}
