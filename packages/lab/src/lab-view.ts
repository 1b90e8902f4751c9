import type { Interest, NetworkState } from "@caracal/forwarding";
import { observeNetwork } from "@caracal/linux";
import { DEFAULT_ROOT, type LabDirectory, labNames } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { storeEnvironment } from "./lab-store.ts";
import { openLab } from "./open-lab.ts";

/** A node, a switch or a pod of a lab, by its name in the cluster (`namespace/pod`). */
export interface LabPart {
  readonly kind: string;
  readonly name: string;
}

/** A lab seen from beside its cluster: the namespaces of its parts, on this machine. */
export interface LabView {
  readonly name: string;
  readonly switches: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** How its datastore is reached. */
  readonly environment: Readonly<Record<string, string>>;
  /** The file of the part's namespace; `undefined`: the lab has no such part. */
  readonly namespaceOf: (part: LabPart) => string | undefined;
  /** The kernel's state of a part. Throws `KernelError` when its namespace is gone, `LabError` when there is none such. */
  readonly observe: (part: LabPart, interest: Interest) => Promise<NetworkState>;
}

/** The lab of that name, or without one the lab whose datastore the environment names; `undefined`: none. */
export function findLabView(
  name: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): LabView | undefined {
  if (name !== undefined) return viewOf(name, DEFAULT_ROOT);
  const endpoints = env["CALICO_ETCD_ENDPOINTS"] || env["ETCD_ENDPOINTS"] || "";
  const socket = /^unix:\/\/(\/.+)\/([^/]+)\/store\.sock$/.exec(endpoints);
  const [, root = "", lab = ""] = socket ?? [];
  return socket !== null && labNames(root).includes(lab) ? viewOf(lab, root) : undefined;
}

function viewOf(chosen: string, root: string): LabView {
  const { lab, topology } = openLab(chosen, { root });
  const namespaceOf = (part: LabPart): string | undefined => {
    const found = partName(lab, part);
    return found === undefined ? undefined : lab.namespacePath(found);
  };
  return {
    name: lab.name,
    switches: topology.switches.map((spec) => ({
      name: spec.name,
      addresses: spec.interfaces.map(({ address }) => address),
    })),
    environment: storeEnvironment(lab),
    namespaceOf,
    observe: async (part, interest) => {
      const namespace = namespaceOf(part);
      if (namespace === undefined) throw new LabError(`lab ${lab.name} has no ${part.kind} ${part.name}`);
      return observeNetwork(interest, namespace);
    },
  };
}

function partName(lab: LabDirectory, { kind, name }: LabPart): string | undefined {
  if (kind === "pod") {
    return lab.pods().find((pod) => `${pod.namespace}/${pod.name}` === name)?.name;
  }
  const names = kind === "switch" ? lab.switchNames() : lab.nodes().map((node) => node.name);
  return names.find((one) => one === name);
}
