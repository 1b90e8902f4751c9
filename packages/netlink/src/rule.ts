import { IpAddress, type IpFamily, Prefix, type Reader, type Writer } from "@caracal/net";
import {
  readAddress,
  readAttributes,
  readText,
  writeAddressAttribute,
  writeTextAttribute,
  writeU32Attribute,
  writeU8Attribute,
} from "./attribute.ts";
import { FibRule, Fra, Nlm, RouteTable, RuleAction, Rtm } from "./constants.ts";
import { familyNumber, ipFamily } from "./family.ts";
import type { Request } from "./message.ts";

/** A routing policy rule: which packets look into which table. */
export interface Rule {
  readonly family: IpFamily;
  /** Lower is asked first. */
  readonly priority: number;
  readonly table: number;
  /** `RuleAction` value. */
  readonly action: number;
  /** The rule is for packets that do not match. */
  readonly invert: boolean;
  readonly source?: Prefix;
  readonly destination?: Prefix;
  readonly mark?: number;
  /** Absent is all bits. */
  readonly markMask?: number;
  readonly inputInterface?: string;
  readonly outputInterface?: string;
  /** Number of the transport protocol. */
  readonly ipProtocol?: number;
  /** A route that is found counts only if its prefix is longer than this. */
  readonly suppressPrefixLength?: number;
  /** Where an action that goes on elsewhere goes on. */
  readonly gotoPriority?: number;
  /** It also looks at what has no member here: ports, user, type of service, tunnel, L3 master device. */
  readonly hasOtherSelectors?: true;
  /** `RouteProtocol` value of who installed it. */
  readonly protocol: number;
}

/** How the kernel says that a rule suppresses nothing. */
const noSuppression = 0xffffffff;

const otherSelectors: ReadonlySet<number> = new Set([
  Fra.FRA_TUN_ID,
  Fra.FRA_L3MDEV,
  Fra.FRA_UID_RANGE,
  Fra.FRA_SPORT_RANGE,
  Fra.FRA_DPORT_RANGE,
]);

export function newRule(rule: Rule): Request {
  return {
    type: Rtm.RTM_NEWRULE,
    flags: Nlm.NLM_F_CREATE | Nlm.NLM_F_EXCL,
    writeBody: (writer) => writeRule(writer, rule),
  };
}

export function deleteRule(rule: Rule): Request {
  return { type: Rtm.RTM_DELRULE, flags: 0, writeBody: (writer) => writeRule(writer, rule) };
}

export function dumpRules(family: IpFamily): Request {
  return {
    type: Rtm.RTM_GETRULE,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => {
      writer.u8(familyNumber(family));
      writer.zeros(11);
    },
  };
}

/**
 * Body of RTM_NEWRULE and RTM_DELRULE; `undefined` for another family.
 * | family u8 | destination length u8 | source length u8 | TOS u8 | table u8 | 0 u16 | action u8 | flags u32 | attributes |
 */
export function decodeRule(payload: Reader): Rule | undefined {
  const family = ipFamily(payload.u8());
  if (family === undefined) return undefined;
  const destinationLength = payload.u8();
  const sourceLength = payload.u8();
  const typeOfService = payload.u8();
  const table = payload.u8();
  payload.skip(2);
  const action = payload.u8();
  const invert = (payload.u32le() & FibRule.FIB_RULE_INVERT) !== 0;
  const found: { -readonly [Field in keyof Rule]: Rule[Field] } = {
    family,
    priority: 0,
    table,
    action,
    invert,
    protocol: 0,
  };
  if (typeOfService !== 0) found.hasOtherSelectors = true;
  readAttributes(payload, (type, value) => {
    if (type === Fra.FRA_DST) found.destination = readPrefix(value, destinationLength);
    if (type === Fra.FRA_SRC) found.source = readPrefix(value, sourceLength);
    if (type === Fra.FRA_PRIORITY) found.priority = value.u32le();
    if (type === Fra.FRA_TABLE) found.table = value.u32le();
    if (type === Fra.FRA_FWMARK) found.mark = value.u32le();
    if (type === Fra.FRA_FWMASK) found.markMask = value.u32le();
    if (type === Fra.FRA_IIFNAME) found.inputInterface = readText(value);
    if (type === Fra.FRA_OIFNAME) found.outputInterface = readText(value);
    if (type === Fra.FRA_PROTOCOL) found.protocol = value.u8();
    if (type === Fra.FRA_IP_PROTO) found.ipProtocol = value.u8();
    if (type === Fra.FRA_GOTO) found.gotoPriority = value.u32le();
    if (type === Fra.FRA_SUPPRESS_PREFIXLEN) {
      const length = value.u32le();
      if (length !== noSuppression) found.suppressPrefixLength = length;
    }
    if (otherSelectors.has(type)) found.hasOtherSelectors = true;
  });
  // The kernel reports the mask always; only together with a mark does it say something.
  if (found.mark === undefined || found.markMask === 0xffffffff) delete found.markMask;
  return found;
}

function readPrefix(value: Reader, length: number): Prefix {
  const address = readAddress(value);
  if (length > (IpAddress.isIpv4(address) ? 32 : 128)) value.fail(`a prefix length of ${length}`);
  return Prefix.of(address, length);
}

function writeRule(writer: Writer, rule: Rule): void {
  writer.u8(familyNumber(rule.family));
  writer.u8(rule.destination?.length ?? 0);
  writer.u8(rule.source?.length ?? 0);
  writer.u8(0);
  const looksUp = rule.action === RuleAction.FR_ACT_TO_TBL;
  writer.u8(looksUp && rule.table <= 255 ? rule.table : RouteTable.RT_TABLE_UNSPEC);
  writer.zeros(2);
  writer.u8(rule.action);
  writer.u32le(rule.invert ? FibRule.FIB_RULE_INVERT : 0);
  if (rule.destination !== undefined) writeAddressAttribute(writer, Fra.FRA_DST, rule.destination.address);
  if (rule.source !== undefined) writeAddressAttribute(writer, Fra.FRA_SRC, rule.source.address);
  writeU32Attribute(writer, Fra.FRA_PRIORITY, rule.priority);
  if (looksUp) writeU32Attribute(writer, Fra.FRA_TABLE, rule.table);
  if (rule.mark !== undefined) writeU32Attribute(writer, Fra.FRA_FWMARK, rule.mark);
  if (rule.markMask !== undefined) writeU32Attribute(writer, Fra.FRA_FWMASK, rule.markMask);
  if (rule.inputInterface !== undefined) writeTextAttribute(writer, Fra.FRA_IIFNAME, rule.inputInterface);
  if (rule.outputInterface !== undefined) writeTextAttribute(writer, Fra.FRA_OIFNAME, rule.outputInterface);
  if (rule.ipProtocol !== undefined) writeU8Attribute(writer, Fra.FRA_IP_PROTO, rule.ipProtocol);
  if (rule.gotoPriority !== undefined) writeU32Attribute(writer, Fra.FRA_GOTO, rule.gotoPriority);
  if (rule.suppressPrefixLength !== undefined)
    writeU32Attribute(writer, Fra.FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength);
  if (rule.protocol !== 0) writeU8Attribute(writer, Fra.FRA_PROTOCOL, rule.protocol);
}
