import { controlRequest } from "@caracal/control";
import { startDaemon, waitForDaemon } from "./daemon-process.ts";
import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import type { LabRecord, NodeRecord } from "./lab-record.ts";
import { storeEnvironment } from "./lab-store.ts";

/** Time for a node daemon to answer, on a busy machine. */
const DAEMON_DEADLINE_MS = 30_000;
const HEALTH_TIMEOUT_MS = 2_000;

/** How programs on a node find its daemon and the store. */
export function nodeEnvironment(lab: LabDirectory, node: string): Readonly<Record<string, string>> {
  return {
    NODENAME: node,
    CARACAL_RUN_DIR: lab.runDirectory(node),
    CARACAL_LIB_DIR: lab.libDirectory(node),
    ...storeEnvironment(lab),
  };
}

/** Starts `caracal node run` in the node's namespace, configured by Calico's variables as the manifests do it. */
export async function startNodeDaemon(
  lab: LabDirectory,
  record: LabRecord,
  node: NodeRecord,
  ctx: LabContext,
): Promise<void> {
  const { pool } = record;
  await startDaemon(
    lab,
    { node: node.name },
    {
      argv: [...ctx.program, "node", "run"],
      namespace: lab.namespacePath(node.name),
      env: {
        ...ctx.env,
        IP: "autodetect",
        CALICO_NETWORKING_BACKEND: node.backend,
        CLUSTER_TYPE: "k8s,bgp",
        WAIT_FOR_DATASTORE: "true",
        FELIX_HEALTHENABLED: "true",
        // A lab's networks are IPv4: no IPv6 pool, as in the manifests.
        FELIX_IPV6SUPPORT: "false",
        CALICO_IPV6POOL_CIDR: "none",
        CALICO_IPV4POOL_CIDR: pool.cidr,
        CALICO_IPV4POOL_BLOCK_SIZE: String(pool.blockSize),
        CALICO_IPV4POOL_IPIP: pool.ipip,
        CALICO_IPV4POOL_VXLAN: pool.vxlan,
        CALICO_IPV4POOL_NAT_OUTGOING: String(pool.natOutgoing),
        ...record.environment,
        ...node.environment,
        ...nodeEnvironment(lab, node.name),
      },
    },
  );
}

/** Waits until the node's daemon answers on its control socket. */
export async function waitForNodeDaemon(lab: LabDirectory, node: NodeRecord, ctx: LabContext): Promise<void> {
  await waitForDaemon(
    lab,
    { node: node.name },
    {
      title: `the daemon of ${node.name}`,
      isReady: () => answers(lab, node.name),
      deadlineMs: DAEMON_DEADLINE_MS,
      signal: ctx.signal,
    },
  );
}

/** Whether the node's daemon answers at all. */
async function answers(lab: LabDirectory, node: string): Promise<boolean> {
  try {
    await controlRequest(lab.controlSocket(node), "health", {}, { timeoutMs: HEALTH_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}
