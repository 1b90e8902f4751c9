import { FakeKernel } from "./cni-fakes.ts";
import { CniNode } from "./cni-suite.ts";

/** The network namespace that a pod of a fake node has. */
export const netns = "/run/netns/pod";

/** A node on a kernel in memory. */
export interface FakeCniNode {
  readonly node: CniNode;
  readonly kernel: FakeKernel;
}

export function fakeCniNode(): FakeCniNode {
  const kernel = new FakeKernel();
  kernel.namespaces.add(netns);
  const node = new CniNode({
    kernel,
    newNamespace: () => netns,
    removeNamespace: (path) => kernel.removeNamespace(path),
    snapshot: () => [...kernel.pairs.keys()],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  return { node, kernel };
}
