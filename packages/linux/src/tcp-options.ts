import { IpAddress, type IpFamily, Prefix, Writer } from "@caracal/net";
import { checked, KernelError } from "./kernel-error.ts";
import { lastErrno, errnoName, libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_IP = 0;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_TCP = 6;
const TCP_MD5SIG = 14;
const TCP_MD5SIG_EXT = 32;
const TCP_MD5SIG_FLAG_PREFIX = 1;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MINHOPCOUNT = 73;

/** Bytes of struct sockaddr_storage. */
const socketAddressBytes = 128;
/** TCP_MD5SIG_MAXKEYLEN. */
const md5KeyBytesMax = 80;

/**
 * Options of TCP sockets that Node does not offer, on descriptors that Node's sockets own. Set on a listening socket,
 * they are inherited by the connections that it accepts afterwards. A refusal is thrown as `KernelError`.
 */
export const tcpOptions: {
  /**
   * Has every segment to and from these addresses signed with a key (RFC 2385), and drops others; undefined ends that.
   * A socket may have a key for each of many peers: the longest matching prefix counts.
   */
  readonly setMd5Key: (fd: number, peers: Prefix, key: Uint8Array | undefined) => void;
  /** The TTL or hop limit of outgoing packets; undefined: the system's default. */
  readonly setTtl: (fd: number, family: IpFamily, ttl: number | undefined) => void;
  /** Drops packets that arrive with a lower TTL or hop limit (RFC 5082); 0 takes all. */
  readonly setMinTtl: (fd: number, family: IpFamily, least: number) => void;
} = {
  setMd5Key: (fd, peers, key) => {
    const isHost = Prefix.isHost(peers);
    if (key !== undefined && (key.length === 0 || key.length > md5KeyBytesMax)) {
      throw new KernelError("tcp.md5", "EINVAL", `a key has 1 to ${md5KeyBytesMax} bytes, not ${key.length}`);
    }
    const value = md5Signature(peers, isHost ? 0 : TCP_MD5SIG_FLAG_PREFIX, key ?? new Uint8Array(0));
    const option = isHost ? TCP_MD5SIG : TCP_MD5SIG_EXT;
    const result = libc.setsockopt(fd, IPPROTO_TCP, option, value, value.length);
    // Removing a key that is not there leaves what was asked for.
    if (result < 0 && key === undefined && errnoName(lastErrno()) === "ENOENT") return;
    checked("tcp.md5", result);
  },
  setTtl: (fd, family, ttl) => {
    const [level, option] = family === 4 ? [IPPROTO_IP, IP_TTL] : [IPPROTO_IPV6, IPV6_UNICAST_HOPS];
    setNumber("tcp.ttl", fd, level, option, ttl ?? -1);
  },
  setMinTtl: (fd, family, least) => {
    const [level, option] = family === 4 ? [IPPROTO_IP, IP_MINTTL] : [IPPROTO_IPV6, IPV6_MINHOPCOUNT];
    setNumber("tcp.minttl", fd, level, option, least);
  },
};

/** struct tcp_md5sig: | sockaddr_storage | flags u8 | prefix length u8 | key length u16 | interface i32 | key, 80 bytes | */
function md5Signature(peers: Prefix, flags: number, key: Uint8Array): Uint8Array {
  const writer = new Writer(256);
  // struct sockaddr_in: | family u16 | port | address |; sockaddr_in6 has a flow label before the address.
  writer.u16le(peers.family === 4 ? AF_INET : AF_INET6);
  writer.zeros(peers.family === 4 ? 2 : 6);
  writer.bytes(IpAddress.toBytes(peers.address));
  writer.zeros(socketAddressBytes - writer.length);
  writer.u8(flags);
  writer.u8(peers.length);
  writer.u16le(key.length);
  writer.u32le(0);
  writer.bytes(key);
  writer.zeros(md5KeyBytesMax - key.length);
  return writer.finish();
}

function setNumber(op: string, fd: number, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  checked(op, libc.setsockopt(fd, level, option, bytes, bytes.length));
}
