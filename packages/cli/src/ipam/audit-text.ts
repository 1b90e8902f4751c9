import type { AddressUse, AuditedAllocation, SurplusHandle, UsedAddress } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import type { ClusterAudit } from "./take-audit.ts";

/** What `ipam check` shows besides its figures. */
export interface AuditDetail {
  readonly showsAll: boolean;
  readonly showsProblems: boolean;
}

/** Nodes named in the list of those with most allocations. */
const topNodeCount = 20;

/** What `ipam check` says before it reads anything. */
export const auditHeading = "Checking IPAM for inconsistencies...\n\n";

/** The rest of `ipam check`'s text, in calicoctl's words and order. */
export function auditText(audit: ClusterAudit, detail: AuditDetail): string {
  return `${[
    ...blockLines(audit, detail),
    "",
    ...loadLines(audit, detail),
    ...nodeLines(audit.allocations),
    "",
    ...leakLines(audit, detail),
    "",
    ...handleLines(audit, detail),
    "Validating IPAMBlock structures...",
    ...(detail.showsProblems ? audit.invalidBlocks.map(({ key, message }) => `  ${key} ${message}`) : []),
    `Found ${audit.invalidBlocks.length} invalid IPAMBlocks.`,
    `Check complete; found ${countProblems(audit)} problems.`,
  ].join("\n")}\n`;
}

/**
 * Handles that are missing are told of, but not counted, as Calico has it: the next release of the address mends them. So are
 * those that count too much, of which Calico does not tell.
 */
export function countProblems(audit: ClusterAudit): number {
  const { leaked, outside, unallocated, idleHandles, invalidBlocks } = audit;
  return leaked.length + outside.length + unallocated.length + idleHandles.length + invalidBlocks.length;
}

function blockLines({ blocks, allocations }: ClusterAudit, { showsAll }: AuditDetail): readonly string[] {
  const byBlock = Map.groupBy(allocations, ({ block }) => Prefix.key(block));
  return [
    "Loading all IPAM blocks...",
    `Found ${blocks.length} IPAM blocks.`,
    ...blocks.flatMap(({ cidr, affinity = "<none>" }) => [
      ` IPAM block ${Prefix.format(cidr)} affinity=${affinity}:`,
      ...(showsAll ? (byBlock.get(Prefix.key(cidr)) ?? []) : []).map(
        (one) => `  ${IpAddress.format(one.address)} allocated; attrs ${attributeText(one)}`,
      ),
    ]),
    `IPAM blocks record ${allocations.length} allocations.`,
  ];
}

function loadLines(audit: ClusterAudit, { showsAll }: AuditDetail): readonly string[] {
  const { pools, nodeUses, serviceUses, workloadUses, used, hasServiceController } = audit;
  const services = new Set(serviceUses.map(({ owner }) => owner));
  const useLines = (uses: readonly AddressUse[]): readonly string[] =>
    showsAll ? uses.map(({ address, owner }) => `  ${IpAddress.format(address)} belongs to ${owner}`) : [];
  return [
    "Loading all IPAM pools...",
    ...pools.map((cidr) => `  ${cidr}`),
    `Found ${pools.length} active IP pools.`,
    "",
    "Loading all nodes.",
    ...useLines(nodeUses),
    `Found ${nodeUses.length} node tunnel IPs.`,
    "",
    "Loading all service load balancer IPs.",
    ...useLines(serviceUses),
    hasServiceController
      ? `Found ${services.size} service load balancer(s).`
      : "No configuration for LoadBalancer kubecontroller found, skipping service check",
    "",
    "Loading all workload endpoints.",
    ...useLines(workloadUses),
    `Found ${workloadUses.length} workload IPs.`,
    `Workloads and nodes are using ${used.length} IPs.`,
    "",
    "Loading all handles",
  ];
}

function nodeLines(allocations: readonly AuditedAllocation[]): readonly string[] {
  const counts = [...Map.groupBy(allocations, ({ node }) => node)]
    .map(([node, { length }]) => ({ node, count: length }))
    .toSorted((a, b) => b.count - a.count || (a.node < b.node ? -1 : 1));
  const [most] = counts;
  const median = counts[Math.floor(counts.length / 2)];
  return [
    `Looking for top (up to ${topNodeCount}) nodes by allocations...`,
    ...counts.slice(0, topNodeCount).map(({ node, count }) => `  ${node} has ${count} allocations`),
    ...(most === undefined || median === undefined
      ? []
      : [`Node with most allocations has ${most.count}; median is ${median.count}`]),
  ];
}

function leakLines(audit: ClusterAudit, { showsProblems }: AuditDetail): readonly string[] {
  const { leaked, used, outside, unallocated } = audit;
  const ownerLines = (found: readonly UsedAddress[], what: string): readonly string[] =>
    found.flatMap(({ address, owners }) =>
      owners.map((owner) => `  ${IpAddress.format(address)} in use by ${owner} ${what}`),
    );
  const details = (lines: readonly string[]): readonly string[] => (showsProblems ? lines : []);
  return [
    "Scanning for IPs that are allocated but not actually in use...",
    ...details(leaked.map((one) => `  ${IpAddress.format(one.address)} leaked; attrs ${attributeText(one)}`)),
    `Found ${leaked.length} IPs that are allocated in IPAM but not actually in use.`,
    "Scanning for IPs that are in use by a workload or node but not allocated in IPAM...",
    ...details(
      used
        .filter(({ owners }) => owners.length > 1)
        .map(({ address }) => `  ${IpAddress.format(address)} has multiple owners.`),
    ),
    ...details(ownerLines(outside, "is not in any active IP pool.")),
    ...details(ownerLines(unallocated, "and in active IPAM pool but has no IPAM allocation.")),
    `Found ${outside.length} in-use IPs that are not in active IP pools.`,
    `Found ${unallocated.length} in-use IPs that are in active IP pools but have no corresponding IPAM allocation.`,
  ];
}

function handleLines(audit: ClusterAudit, { showsAll, showsProblems }: AuditDetail): readonly string[] {
  const { idleHandles, activeHandles, missingHandles, surplusHandles } = audit;
  return [
    "Scanning for IPAM handles with no matching IPs...",
    ...(showsAll ? idleHandles.map((id) => `  ${id} doesn't have any active IPs.`) : []),
    `Found ${idleHandles.length} handles with no matching IPs (and ${activeHandles.length} handles with matches).`,
    "Scanning for IPs with missing handle...",
    ...(showsProblems ? missingHandles.map((id) => `  ${id} is in use in a block but doesn't exist.`) : []),
    `Found ${missingHandles.length} handles mentioned in blocks with no matching handle resource.`,
    ...(showsProblems ? surplusHandles.map(surplusLine) : []),
    ...(surplusHandles.length > 0
      ? [`Found ${surplusHandles.length} handles that count IPs they do not have.`]
      : []),
  ];
}

function surplusLine({ id, surplus }: SurplusHandle): string {
  const parts = surplus.map(({ block, counted, held }) => `${counted} in ${block} and has ${held}`);
  return `  ${id} counts ${parts.join(", ")}.`;
}

function attributeText({ attribute }: AuditedAllocation): string {
  const pairs = Object.entries(attribute.secondary ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const extra = pairs.map(([name, value]) => `${name}=${value}`).join(",");
  return `Main:${attribute.handle_id ?? "<none>"} Extra:${extra}`;
}
