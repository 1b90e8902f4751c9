import { closeSync } from "node:fs";
import { Writer } from "@caracal/net";
import { checked } from "./kernel-error.ts";
import { addressOf, libc } from "./libc.ts";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCETHTOOL = 0x8946;
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_STXCSUM = 0x17;
/** IFNAMSIZ, with the terminating zero. */
const nameBytes = 16;
const requestBytes = 40;

/** What a network interface does in place of the kernel (ethtool(8), `-k` and `-K`). */
export const offload: {
  /** Whether checksums of outgoing packets are left to the interface. */
  readonly readTxChecksum: (interfaceName: string, namespace?: NamespaceTarget) => boolean;
  readonly setTxChecksum: (interfaceName: string, isOn: boolean, namespace?: NamespaceTarget) => void;
} = {
  readTxChecksum: (interfaceName, namespace) => ethtool(interfaceName, ETHTOOL_GTXCSUM, 0, namespace) !== 0,
  setTxChecksum: (interfaceName, isOn, namespace) => {
    ethtool(interfaceName, ETHTOOL_STXCSUM, isOn ? 1 : 0, namespace);
  },
};

/** Asks by struct ethtool_value, | command u32 | data u32 |, to which struct ifreq, | name | pointer |, leads. */
function ethtool(
  interfaceName: string,
  command: number,
  data: number,
  namespace: NamespaceTarget | undefined,
): number {
  const create = (): number => checked("ethtool.open", libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const fd = namespace === undefined ? create() : withNamespace(namespace, create);
  try {
    const value = new Uint8Array(Uint32Array.of(command, data).buffer);
    const request = new Writer(requestBytes);
    const name = new TextEncoder().encode(interfaceName).subarray(0, nameBytes - 1);
    request.bytes(name);
    request.zeros(requestBytes - name.length);
    const bytes = request.finish();
    new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(nameBytes, addressOf(value), true);
    checked("ethtool", libc.ioctl(fd, SIOCETHTOOL, bytes));
    return new DataView(value.buffer).getUint32(4, true);
  } finally {
    closeSync(fd);
  }
}
