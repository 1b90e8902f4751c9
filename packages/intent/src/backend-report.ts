import type { Node } from "@caracal/resources";

/** The annotation by which a node tells that nothing speaks BGP on it: the name of its backend. */
export const backendAnnotation = "caracal/backend";

/** Whether something speaks BGP on a node; one that says nothing does, or runs Calico itself. */
export function nodeSpeaksBgp({ metadata }: Node): boolean {
  const backend = metadata.annotations?.[backendAnnotation];
  return backend !== "vxlan" && backend !== "none";
}
