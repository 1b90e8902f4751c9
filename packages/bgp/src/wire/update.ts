import { type Blame, DecodeError, type IpFamily, Reader } from "@caracal/net";
import { AttributeCode, ErrorCode, UpdateError } from "../iana.ts";
import {
  type AttributeFault,
  type DecodeContext,
  type DecodedAttributes,
  decodeAttributes,
} from "./attribute-decoder.ts";
import { headerBytes } from "./header.ts";
import { type NlriBlock, decodeNlri } from "./nlri.ts";
import { type PathAttributes } from "./path-attributes.ts";

/** Prefixes that share a set of attributes. */
export interface Announcement {
  readonly nlri: NlriBlock;
  readonly attributes: PathAttributes;
}

/** UPDATE (RFC 4271 §4.3), both families in one form. Blocks are views of the message. */
export interface Update {
  readonly kind: "update";
  readonly withdrawn: readonly NlriBlock[];
  readonly announced: readonly Announcement[];
  /** RFC 4724 §2: this message only says that the family's first exchange is complete. */
  readonly endOfRib: IpFamily | undefined;
  /** What was wrong and already dealt with: with a "withdraw" fault the prefixes stand in `withdrawn`. */
  readonly faults: readonly AttributeFault[];
}

/**
 * Reads the whole message:
 *
 *     | header | withdrawn length u16 | withdrawn | attributes length u16 | attributes | prefixes |
 */
export function decodeUpdate(bytes: Uint8Array, context: DecodeContext): Update {
  const reader = new Reader(bytes, blame(UpdateError.malformedAttributeList), headerBytes);
  const withoutPathId = !context.addPath.includes(4);
  const networkField = blame(UpdateError.invalidNetworkField);
  const withdrawnBytes = reader.u16();
  const withdrawnReader = reader.sub(withdrawnBytes);
  const attributeReader = reader.sub(reader.u16());
  const nlriReader = reader.sub(reader.remaining, networkField);
  const isEmpty = withdrawnBytes === 0 && attributeReader.remaining === 0 && nlriReader.remaining === 0;
  if (isEmpty) return { kind: "update", withdrawn: [], announced: [], endOfRib: 4, faults: [] };
  const withdrawn4 = decodeNlri(withdrawnReader.sub(withdrawnBytes, networkField), 4, !withoutPathId);
  const decoded = decodeAttributes(attributeReader, context);
  const announced4 = decodeNlri(nlriReader, 4, !withoutPathId);
  return assemble(withdrawn4, decoded, announced4);
}

function assemble(withdrawn4: NlriBlock, decoded: DecodedAttributes, announced4: NlriBlock): Update {
  const { mpReach, mpUnreach } = decoded;
  const withdrawn: NlriBlock[] = [];
  const announced: Announcement[] = [];
  const faults = [...decoded.faults];
  if (withdrawn4.bytes.length > 0) withdrawn.push(withdrawn4);
  if (mpUnreach !== undefined && mpUnreach.bytes.length > 0) withdrawn.push(mpUnreach);
  const reached: NlriBlock[] = [];
  if (announced4.bytes.length > 0) reached.push(announced4);
  if (mpReach !== undefined && mpReach.nlri.bytes.length > 0) reached.push(mpReach.nlri);
  const missing = reached.length === 0 ? undefined : missingMandatory(decoded, announced4);
  if (missing !== undefined) faults.push(missing);
  const isUsable = !faults.some((fault) => fault.action === "withdraw");
  if (reached.length === 0 && hidesPrefixes(decoded)) {
    const what = "attributes with a fault, and no prefixes to withdraw for it";
    throw new DecodeError(what, blame(UpdateError.malformedAttributeList), headerBytes);
  }
  for (const nlri of reached) {
    const attributes = isUsable ? attributesFor(nlri, announced4, decoded) : undefined;
    // RFC 7606 §2: treat-as-withdraw, as if the prefixes had been in the withdrawn field.
    if (attributes === undefined) withdrawn.push(nlri);
    else announced.push({ nlri, attributes });
  }
  return {
    kind: "update",
    withdrawn,
    announced,
    endOfRib: endOfRib(withdrawn4, decoded, announced4),
    faults,
  };
}

/**
 * RFC 7606 §5.2: attributes other than MP_UNREACH_NLRI announce something. Where one is at fault and no prefixes are
 * found, those may be in what could not be read, and nobody knows what to withdraw.
 */
function hidesPrefixes({ faults, value, foreignReach }: DecodedAttributes): boolean {
  const serious = faults.filter((fault) => fault.action === "withdraw");
  if (serious.length === 0 || foreignReach) return false;
  const isUnreachAlone = serious.every((fault) => fault.code === AttributeCode.mpUnreachNlri);
  return !isUnreachAlone || Object.keys(value).length > 0;
}

/** RFC 7606 §3 d: a missing mandatory attribute withdraws. RFC 4760 §3: NEXT_HOP is needed for plain prefixes only. */
function missingMandatory({ value }: DecodedAttributes, announced4: NlriBlock): AttributeFault | undefined {
  const lacks: string[] = [];
  if (value.origin === undefined) lacks.push("ORIGIN");
  if (value.asPath === undefined) lacks.push("AS_PATH");
  if (announced4.bytes.length > 0 && value.nextHop === undefined) lacks.push("NEXT_HOP");
  if (lacks.length === 0) return undefined;
  return { action: "withdraw", what: `${lacks.join(", ")} missing`, code: 0 };
}

function attributesFor(
  nlri: NlriBlock,
  announced4: NlriBlock,
  { value, mpReach }: DecodedAttributes,
): PathAttributes | undefined {
  const { origin, asPath, nextHop, ...rest } = value;
  if (origin === undefined || asPath === undefined) return undefined;
  if (nlri === announced4) {
    return nextHop === undefined ? undefined : { ...rest, origin, asPath, nextHop };
  }
  if (mpReach === undefined) return undefined;
  const linkLocal =
    mpReach.linkLocalNextHop === undefined ? {} : { linkLocalNextHop: mpReach.linkLocalNextHop };
  return { ...rest, origin, asPath, nextHop: mpReach.nextHop, ...linkLocal };
}

/** RFC 4724 §2: an UPDATE with nothing but an empty MP_UNREACH_NLRI. */
function endOfRib(
  withdrawn4: NlriBlock,
  { value, mpReach, mpUnreach, foreign }: DecodedAttributes,
  announced4: NlriBlock,
): IpFamily | undefined {
  if (mpUnreach === undefined || mpUnreach.bytes.length > 0 || mpReach !== undefined || foreign) {
    return undefined;
  }
  const isAlone = Object.keys(value).length === 0;
  return isAlone && withdrawn4.bytes.length === 0 && announced4.bytes.length === 0
    ? mpUnreach.family
    : undefined;
}

function blame(subcode: number): Blame {
  return { code: ErrorCode.updateMessage, subcode, action: "reset" };
}
