import { readdirSync, readlinkSync, statSync } from "node:fs";
import { decodeNamespaceId, getNamespaceId, type Link } from "@caracal/netlink";
import { KernelError } from "./kernel-error.ts";
import { listNamespaces, Namespace, namespacePath } from "./namespace.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

/** More processes than this are not looked at. */
const maxProcesses = 50_000;

/**
 * The namespace that the other end of a veth is in, as an open one: among those with a name and those of processes, the
 * one that the kernel knows by the number which the link carries. `home` is a socket of the link's own namespace.
 */
export function findLinkedNamespace(home: NetlinkSocket, link: Link): Namespace | undefined {
  const { linkedNamespaceId } = link;
  if (linkedNamespaceId === undefined || linkedNamespaceId < 0) return undefined;
  const seen = new Set<number>();
  for (const path of candidates()) {
    const inode = inodeOf(path);
    if (inode === undefined || seen.has(inode)) continue;
    seen.add(inode);
    const namespace = openTolerantly(path);
    if (namespace === undefined) continue;
    if (numberOf(home, namespace) === linkedNamespaceId) return namespace;
    namespace.close();
  }
  return undefined;
}

/** Named namespaces first: there is one name for each, but many processes. */
function* candidates(): Generator<string, void, undefined> {
  for (const name of listNamespaces()) yield namespacePath(name);
  const processes = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  for (const pid of processes.slice(0, maxProcesses)) yield `/proc/${pid}/ns/net`;
}

function inodeOf(path: string): number | undefined {
  try {
    // A process's is a link whose text holds the number; to follow it costs a permission more.
    if (!path.startsWith("/proc/")) return statSync(path).ino;
    const inode = /\[([0-9]+)\]/.exec(readlinkSync(path))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch {
    return undefined;
  }
}

function openTolerantly(path: string): Namespace | undefined {
  try {
    return Namespace.open(path);
  } catch {
    return undefined;
  }
}

function numberOf(home: NetlinkSocket, { fd }: Namespace): number | undefined {
  let id: number | undefined;
  try {
    home.request("namespace.id", getNamespaceId(fd), ({ payload }) => {
      id = decodeNamespaceId(payload);
    });
  } catch (error) {
    // A name whose namespace is gone is an ordinary file.
    if (!(error instanceof KernelError)) throw error;
  }
  return id;
}
