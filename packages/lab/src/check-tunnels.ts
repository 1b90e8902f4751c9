import { createNamespace, deleteNamespace, KernelError, namespacePath, Rtnetlink } from "@caracal/linux";
import type { NewLink } from "@caracal/netlink";
import { LabError } from "./lab-error.ts";
import type { Topology } from "./topology.ts";

/** Refuses, before anything is made, a topology that tunnels in a way that this machine's kernel cannot. */
export function checkTunnels({ name, pool, pool6, resources }: Topology): void {
  const modes = [pool, ...(pool6 === undefined ? [] : [pool6])].map(({ ipip }) => ipip);
  const texts = resources.map(({ value }) => JSON.stringify(value));
  const wantsIpip =
    modes.some((mode) => mode !== "Never") ||
    texts.some((text) => /"ipipMode":"(Always|CrossSubnet)"/.test(text));
  if (!wantsIpip || canMake({ name: "probe", details: { kind: "ipip" } })) return;
  throw new LabError(
    `${name} needs IPIP, which this machine's kernel does not have (module ipip): install or load it, or run the lab on a user-mode Linux: npm run uml -- sh -c './caracal lab up ${name} && ./caracal lab check'`,
  );
}

/** Tries it in a namespace of its own; asking for a device has the kernel load its module. */
function canMake(link: NewLink): boolean {
  const namespace = `caracal-probe-${process.pid}`;
  createNamespace(namespace);
  try {
    using kernel = Rtnetlink.open(namespacePath(namespace));
    kernel.addLink(link);
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    // A namespace has one such device from the first, and no room for a second one that takes all.
    return error.errno !== "EOPNOTSUPP";
  } finally {
    deleteNamespace(namespace);
  }
}
