import { DecodeError, type IpAddress, type IpFamily } from "@caracal/net";
import { MessageType } from "../iana.ts";
import { type Capability, unicastFamily } from "../wire/capability.ts";
import { takesIpv4OverIpv6 } from "../session/negotiated.ts";
import { MessageSplitter, maxExtendedMessageBytes, maxMessageBytes } from "../wire/header.ts";
import { type Open, decodeOpen, openAsn } from "../wire/open.ts";
import { type BmpPeer, type BmpPeerUp } from "./bmp-messages.ts";

/** A session that both ends have agreed on. */
export interface WatchedSession {
  readonly peer: BmpPeer;
  readonly up: BmpPeerUp;
  readonly agreed: Agreed;
}

/** What has gone over one connection, as far as a monitoring station wants to know. */
export class WatchedConnection {
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  localAddress: IpAddress | undefined;
  sentNotification: Uint8Array | undefined;
  receivedNotification: Uint8Array | undefined;
  /** The session, while it is Established. */
  established: WatchedSession | undefined;
  readonly #splitter = new MessageSplitter();
  #isReadable = true;
  #sentOpen: Uint8Array | undefined;
  #receivedOpen: { readonly bytes: Uint8Array; readonly open: Open } | undefined;
  #isConfirmed = false;

  constructor(remoteAddress: IpAddress, remotePort: number, localAddress?: IpAddress) {
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.localAddress = localAddress;
  }

  /** Looks at what the peer sent; gives the UPDATEs, each valid until the next call. */
  received(bytes: Uint8Array): Uint8Array[] {
    const updates: Uint8Array[] = [];
    if (!this.#isReadable) return updates;
    try {
      this.#splitter.push(bytes);
      for (let frame = this.#splitter.next(); frame !== undefined; frame = this.#splitter.next()) {
        if (frame.type === MessageType.update) updates.push(frame.bytes);
        else this.#note(frame.type, frame.bytes);
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      // The session ends for the same reason; there is nothing more to find.
      this.#isReadable = false;
    }
    return updates;
  }

  /** Looks at what we send: an OPEN and a NOTIFICATION always go alone. */
  sent(bytes: Uint8Array): void {
    const type = bytes[18];
    if (type === MessageType.open) this.#sentOpen = bytes;
    if (type === MessageType.notification) this.sentNotification = bytes;
  }

  /** Once there is one. */
  get session(): WatchedSession | undefined {
    const [sentOpen, received] = [this.#sentOpen, this.#receivedOpen];
    const { localAddress, remoteAddress: address, remotePort } = this;
    if (!this.#isConfirmed || sentOpen === undefined || received === undefined) return undefined;
    if (localAddress === undefined) return undefined;
    const { open, bytes: receivedOpen } = received;
    const agreed = agree(decodeOpen(sentOpen), open);
    return {
      peer: { address, asn: openAsn(open), bgpId: open.bgpIdentifier, as4: agreed.as4 },
      up: { localAddress, localPort: 0, remotePort, sentOpen, receivedOpen },
      agreed,
    };
  }

  #noteOpen(bytes: Uint8Array): void {
    if (this.#receivedOpen !== undefined) return;
    const open = decodeOpen(bytes);
    this.#receivedOpen = { open, bytes: bytes.slice() };
    if (this.#sentOpen === undefined) return;
    this.#splitter.maxMessageBytes = agree(decodeOpen(this.#sentOpen), open).maxMessageBytes;
  }

  #note(type: number, bytes: Uint8Array): void {
    // The bytes are another's, who reuses them.
    if (type === MessageType.open) this.#noteOpen(bytes);
    if (type === MessageType.notification) this.receivedNotification = bytes.slice();
    if (type === MessageType.keepalive && this.#receivedOpen !== undefined) this.#isConfirmed = true;
  }
}

/** What decides how UPDATEs are to be read and written. */
export interface Agreed {
  readonly as4: boolean;
  readonly families: readonly IpFamily[];
  /** Families in which the peer sends path identifiers. */
  readonly addPath: readonly IpFamily[];
  /** RFC 8950. */
  readonly extendedNextHop: boolean;
  /** RFC 8654 §4. */
  readonly maxMessageBytes: number;
}

function agree(ours: Open, theirs: Open): Agreed {
  const bothSay = (kind: Capability["kind"]): boolean =>
    [ours, theirs].every(({ capabilities }) => capabilities.some((one) => one.kind === kind));
  const families = ([4, 6] as const).filter((family) => offers(ours, family) && offers(theirs, family));
  const addPath = families.filter(
    (family) => addPathMode(ours, family)?.receive === true && addPathMode(theirs, family)?.send === true,
  );
  return {
    as4: bothSay("fourOctetAs"),
    families,
    addPath,
    extendedNextHop: [ours, theirs].every(({ capabilities }) => capabilities.some(takesIpv4OverIpv6)),
    maxMessageBytes: bothSay("extendedMessage") ? maxExtendedMessageBytes : maxMessageBytes,
  };
}

function offers({ capabilities }: Open, family: IpFamily): boolean {
  const offered = capabilities.filter((one) => one.kind === "multiprotocol");
  // RFC 4760 §8: a speaker without the capability carries IPv4 unicast.
  return offered.length === 0 ? family === 4 : offered.some((one) => unicastFamily(one) === family);
}

function addPathMode(
  { capabilities }: Open,
  family: IpFamily,
): { readonly receive: boolean; readonly send: boolean } | undefined {
  const families = capabilities.find((one) => one.kind === "addPath")?.families ?? [];
  return families.find((one) => unicastFamily(one) === family);
}
