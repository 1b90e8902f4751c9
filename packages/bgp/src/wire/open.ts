import { type Blame, Ipv4, Reader, type Writer } from "@caracal/net";
import { ErrorCode, MessageType, OpenError, OptionalParameter, asTrans } from "../iana.ts";
import { type Capability, decodeCapability, encodeCapability } from "./capability.ts";
import { encodeFrame, headerBytes } from "./header.ts";

/** OPEN (RFC 4271 §4.2, RFC 5492, RFC 9072). */
export interface Open {
  readonly kind: "open";
  readonly version: number;
  /** The header's two-octet field; a four-octet number is in its capability. */
  readonly myAs: number;
  readonly holdTimeS: number;
  readonly bgpIdentifier: Ipv4;
  /** In the order sent; duplicates kept. */
  readonly capabilities: readonly Capability[];
}

const version4 = 4;

/** What one octet can count. */
const maxPlainLength = 255;

/**
 * Reads the whole message:
 *
 *     | header | version u8 | my AS u16 | hold time u16 | identifier u32 | parameters length u8 | parameters |
 */
export function decodeOpen(bytes: Uint8Array): Open {
  const reader = new Reader(bytes, blame(OpenError.unspecific), headerBytes);
  const version = reader.u8();
  if (version !== version4) {
    // RFC 4271 §6.2: the data is the highest version that we speak.
    reader.fail(`version ${version}`, blame(OpenError.unsupportedVersion), Uint8Array.of(0, version4));
  }
  const myAs = reader.u16();
  const holdTimeS = reader.u16();
  if (holdTimeS === 1 || holdTimeS === 2) {
    // RFC 4271 §6.2: a hold time of 1 or 2 s is refused.
    reader.fail(`hold time ${holdTimeS} s`, blame(OpenError.unacceptableHoldTime));
  }
  const bgpIdentifier = Ipv4.of(reader.u32());
  // RFC 6286 §2.2: zero is not an identifier.
  if (bgpIdentifier === 0) reader.fail("BGP identifier 0.0.0.0", blame(OpenError.badBgpIdentifier));
  return {
    kind: "open",
    version,
    myAs,
    holdTimeS,
    bgpIdentifier,
    capabilities: decodeParameters(bytes, reader),
  };
}

export function encodeOpen(open: Open): Uint8Array {
  return encodeFrame(MessageType.open, (writer) => {
    writer.u8(open.version);
    writer.u16(open.myAs > 0xffff ? asTrans : open.myAs);
    writer.u16(open.holdTimeS);
    writer.u32(open.bgpIdentifier);
    const lengthAt = writer.length;
    writer.u8(0);
    encodeParameters(writer, open.capabilities, false);
    const length = writer.length - lengthAt - 1;
    if (length <= maxPlainLength) {
      writer.patchU8(lengthAt, length);
      return;
    }
    // RFC 9072 §2: only what does not fit one octet takes the form that older speakers do not read.
    writer.truncate(lengthAt);
    writer.u8(OptionalParameter.extendedLength);
    writer.u8(OptionalParameter.extendedLength);
    const extendedAt = writer.length;
    writer.u16(0);
    encodeParameters(writer, open.capabilities, true);
    writer.patchU16(extendedAt, writer.length - extendedAt - 2);
  });
}

/** One parameter for each capability: every speaker in use reads that. */
function encodeParameters(writer: Writer, capabilities: readonly Capability[], isExtended: boolean): void {
  for (const capability of capabilities) {
    writer.u8(OptionalParameter.capabilities);
    const parameterAt = writer.length;
    if (isExtended) writer.u16(0);
    else writer.u8(0);
    const valueAt = writer.length;
    encodeCapability(writer, capability);
    if (isExtended) writer.patchU16(parameterAt, writer.length - valueAt);
    else writer.patchU8(parameterAt, writer.length - valueAt);
  }
}

/** The sender's AS number: from the capability where there is one (RFC 6793 §4.1). */
export function openAsn(open: Open): number {
  const capability = open.capabilities.find((one) => one.kind === "fourOctetAs");
  return capability?.asn ?? open.myAs;
}

function decodeParameters(bytes: Uint8Array, reader: Reader): Capability[] {
  const length = reader.u8();
  // RFC 9072 §2: a first parameter of type 255 announces two-octet lengths, whatever the one-octet length says.
  const isExtended =
    length > 0 && reader.remaining > 0 && bytes[reader.offset] === OptionalParameter.extendedLength;
  if (isExtended) reader.skip(1);
  const body = reader.sub(isExtended ? reader.u16() : length);
  reader.end();
  const capabilities: Capability[] = [];
  while (body.remaining > 0) {
    const type = body.u8();
    const parameter = body.sub(isExtended ? body.u16() : body.u8());
    if (type !== OptionalParameter.capabilities) {
      parameter.fail(`optional parameter ${type}`, blame(OpenError.unsupportedOptionalParameter));
    }
    while (parameter.remaining > 0) capabilities.push(decodeCapability(parameter));
  }
  return capabilities;
}

function blame(subcode: number): Blame {
  return { code: ErrorCode.openMessage, subcode, action: "reset" };
}
