import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Attachment } from "./attachment.ts";

/** How an endpoint is named where its status is a file. */
export interface EndpointStatusName {
  readonly orchestrator: string;
  readonly namespace: string;
  /** Pod, or container where there is no pod. */
  readonly workload: string;
  readonly endpoint: string;
}

/** So often it is looked for a file. */
const pollMs = 25;

/** Felix's name for the file of an endpoint whose rules are in force: its parts, escaped as in a URL's path, between spaces. */
export function endpointStatusFile({
  orchestrator,
  namespace,
  workload,
  endpoint,
}: EndpointStatusName): string {
  return [orchestrator, `${namespace}/${workload}`, endpoint].map(encodeURIComponent).join(" ");
}

export function statusNameOf(attachment: Attachment): EndpointStatusName {
  const { orchestrator, endpointNamespace: namespace, pod, containerId, ifname: endpoint } = attachment;
  return { orchestrator, namespace, workload: pod?.name ?? containerId, endpoint };
}

/** Whether the endpoint's file came in time. */
export async function untilProgrammed(
  directory: string,
  name: EndpointStatusName,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const path = join(directory, endpointStatusFile(name));
  const until = performance.now() + timeoutMs;
  while (!existsSync(path)) {
    if (signal?.aborted === true || performance.now() >= until) return false;
    await delay(pollMs, undefined, { ref: false });
  }
  return true;
}
