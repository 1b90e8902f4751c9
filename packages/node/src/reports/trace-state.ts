import { findLinkedNamespace, observeNetwork, Rtnetlink } from "@caracal/linux";
import { messageOf } from "@caracal/net";
import {
  type PodTraceState,
  readTraceInterest,
  type TraceInterest,
  traceStateJson,
} from "@caracal/questions";

/** More pods than this are not looked into for one question. */
const maxPods = 8;

/** The kernel's state as far as a question asks for it; its pods' too, whose namespaces are found by their links. */
export async function traceState(node: string, params: unknown): Promise<unknown> {
  const interest = readTraceInterest(params);
  if (interest === undefined) throw new Error("the question does not say what it is about");
  const { addresses } = interest;
  const interfaces = interest.pods.map(({ interfaceName }) => interfaceName);
  const pods: PodTraceState[] = [];
  for (const pod of interest.pods.slice(0, maxPods)) pods.push(await podState(pod, interest));
  return traceStateJson({ node, state: await observeNetwork({ addresses, interfaces }), pods });
}

async function podState(
  { name, interfaceName }: TraceInterest["pods"][number],
  { addresses }: TraceInterest,
): Promise<PodTraceState> {
  using tables = Rtnetlink.open();
  const link = tables.link(interfaceName);
  if (link === undefined) return { name, unknownBecause: `there is no interface ${interfaceName}` };
  using namespace = findLinkedNamespace(tables.socket, link);
  if (namespace === undefined) {
    return {
      name,
      unknownBecause: `no namespace that the daemon can see has the other end of ${interfaceName}`,
    };
  }
  try {
    return { name, state: await observeNetwork({ addresses, interfaces: [] }, namespace) };
  } catch (error) {
    return { name, unknownBecause: messageOf(error) };
  }
}
