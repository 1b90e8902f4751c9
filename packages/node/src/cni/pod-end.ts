import { KernelError, Rtnetlink } from "@caracal/linux";
import type { Link } from "@caracal/netlink";

/** Name of the other end of a pair in this namespace, or `undefined` when it is not there. */
export function podEndOf(host: Link, netns: string): string | undefined {
  if (host.linkedIndex === undefined) return undefined;
  const pod = linkIn(netns, host.linkedIndex);
  return pod?.kind === "veth" && pod.linkedIndex === host.index ? pod.name : undefined;
}

/** An interface in a namespace; neither need be there. */
function linkIn(netns: string, index: number): Link | undefined {
  try {
    using inside = Rtnetlink.open(netns);
    return inside.link(index);
  } catch (error) {
    if (isNoNamespace(error)) return undefined;
    throw error;
  }
}

/** What opening or entering a path says when there is something else, or nothing. */
const pathErrors: ReadonlySet<string> = new Set(
  "ENOENT ENOTDIR EINVAL EACCES EISDIR ELOOP ENAMETOOLONG ENODEV ENXIO".split(" "),
);

/** Whether it says that a path leads to no network namespace. */
export function isNoNamespace(error: unknown): boolean {
  return error instanceof KernelError && pathErrors.has(error.errno);
}
