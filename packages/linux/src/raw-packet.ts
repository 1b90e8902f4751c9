import { closeSync } from "node:fs";
import { IpAddress, Writer } from "@caracal/net";
import { checked } from "./kernel-error.ts";
import { libc } from "./libc.ts";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
/** With it the packet brings its own IP header (raw(7), ipv6(7)). */
const IPPROTO_RAW = 255;

/** Sends a packet with its IP header as a namespace's own: routes, rules and filters apply. Throws `KernelError`. */
export function sendRawPacket(packet: Uint8Array, destination: IpAddress, namespace?: NamespaceTarget): void {
  const isIpv4 = IpAddress.isIpv4(destination);
  const create = (): number =>
    checked("packet.open", libc.socket(isIpv4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  const fd = namespace === undefined ? create() : withNamespace(namespace, create);
  try {
    const address = socketAddress(destination);
    checked("packet.connect", libc.connect(fd, address, address.length));
    checked("packet.send", libc.send(fd, packet, packet.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** sockaddr_in: | family u16 | port u16 | address | zeros 8 |; sockaddr_in6: | family | port | flow u32 | address | scope u32 | */
function socketAddress(address: IpAddress): Uint8Array {
  const isIpv4 = IpAddress.isIpv4(address);
  const writer = new Writer(28);
  writer.u16le(isIpv4 ? AF_INET : AF_INET6);
  writer.u16(0);
  if (!isIpv4) writer.zeros(4);
  writer.bytes(IpAddress.toBytes(address));
  writer.zeros(isIpv4 ? 8 : 4);
  return writer.finish();
}
