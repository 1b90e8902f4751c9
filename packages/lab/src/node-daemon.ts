import { controlRequest } from "@caracal/control";
import { Prefix } from "@caracal/net";
import { startDaemon, waitForDaemon } from "./daemon-process.ts";
import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import type { LabRecord, NodeRecord } from "./lab-record.ts";
import { storeEnvironment } from "./lab-store.ts";
import type { PoolSpec } from "./topology.ts";
import { patience } from "./patience.ts";

/** Time for a node daemon to answer, on a busy machine. */
const DAEMON_DEADLINE_MS = 30_000 * patience;
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
  await startDaemon(
    lab,
    { node: node.name },
    {
      argv: [...ctx.program, "node", "run"],
      namespace: lab.namespacePath(node.name),
      env: {
        ...ctx.env,
        ...addressing(record, node),
        CALICO_NETWORKING_BACKEND: node.backend,
        CLUSTER_TYPE: "k8s,bgp",
        WAIT_FOR_DATASTORE: "true",
        FELIX_HEALTHENABLED: "true",
        ...record.environment,
        ...node.environment,
        ...nodeEnvironment(lab, node.name),
      },
    },
  );
}

/** Which families there are, as Calico's manifests say it: IPv4 alone unless the lab has a pool of IPv6. */
function addressing({ pool, pool6 }: LabRecord, node: NodeRecord): Readonly<Record<string, string>> {
  const isOnly6 = node.address.includes(":");
  const pools = [pool, ...(pool6 === undefined ? [] : [pool6])];
  const poolOf = (family: 4 | 6): PoolSpec | undefined =>
    pools.find(({ cidr }) => Prefix.parse(cidr)?.family === family);
  const has6 = isOnly6 || node.address6 !== undefined;
  return {
    IP: isOnly6 ? "none" : "autodetect",
    ...(has6 ? { IP6: "autodetect" } : {}),
    // A router ID is an IPv4 address, and there is none to take.
    ...(isOnly6 ? { CALICO_ROUTER_ID: "hash" } : {}),
    FELIX_IPV6SUPPORT: String(has6),
    ...poolVariables("CALICO_IPV4POOL", poolOf(4)),
    ...poolVariables("CALICO_IPV6POOL", poolOf(6)),
  };
}

function poolVariables(name: string, pool: PoolSpec | undefined): Readonly<Record<string, string>> {
  if (pool === undefined) return { [`${name}_CIDR`]: "none" };
  return {
    [`${name}_CIDR`]: pool.cidr,
    [`${name}_BLOCK_SIZE`]: String(pool.blockSize),
    // IPv6 has no IPIP and so no variable for it.
    ...(pool.ipip === "Never" ? {} : { [`${name}_IPIP`]: pool.ipip }),
    [`${name}_VXLAN`]: pool.vxlan,
    [`${name}_NAT_OUTGOING`]: String(pool.natOutgoing),
  };
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
