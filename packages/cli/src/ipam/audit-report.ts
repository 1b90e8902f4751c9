import { IpAddress } from "@caracal/net";
import { isRecord, parseJson, writeJson } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { ClusterAudit } from "./take-audit.ts";

/** A report of `ipam check` as `ipam release` uses it: what nobody had any more. */
export interface AuditReport {
  readonly version: string;
  readonly clusterGuid: string;
  readonly clusterRevision: string;
  /** By address. */
  readonly leaked: ReadonlyMap<string, LeakedAddress>;
  /** Revision by handle. */
  readonly idleHandles: ReadonlyMap<string, string>;
  /** Revision by handle, of those that count more than they have. */
  readonly surplusHandles: ReadonlyMap<string, string>;
}

/** Only this very assignment of the address is meant. */
export interface LeakedAddress {
  readonly address: IpAddress;
  readonly handle?: string;
  readonly sequenceNumber?: bigint;
}

/** The report as JSON, in the form that Calico's own command reads too. */
export function writeReport(audit: ClusterAudit, version: string): string {
  const { cluster, allocations, idleHandles, surplusHandles, handleVersions } = audit;
  const handleOf = (id: string): unknown => {
    const { revision = "", uid = null } = handleVersions.get(id) ?? {};
    return { ID: id, UID: uid, Revision: revision };
  };
  const byAddress = Map.groupBy(allocations, ({ address }) => IpAddress.format(address));
  const report = {
    version,
    clusterGUID: cluster.spec.clusterGUID ?? "",
    datastoreLocked: cluster.spec.datastoreReady === false,
    clusterInformationRevision: cluster.metadata.resourceVersion ?? "",
    clusterType: cluster.spec.clusterType ?? "",
    allocations: Object.fromEntries([...byAddress].map(([text, found]) => [text, found.map(allocationOf)])),
    ...(idleHandles.length === 0 ? {} : { leakedHandles: idleHandles.map(handleOf) }),
    // Calico's command passes these over, and would delete them among the others.
    ...(surplusHandles.length === 0
      ? {}
      : { overcountingHandles: surplusHandles.map(({ id }) => handleOf(id)) }),
  };
  return `${writeJson(report, 2)}\n`;
}

function allocationOf(allocation: ClusterAudit["allocations"][number]): unknown {
  const {
    address,
    attribute,
    handle,
    sequenceNumber = 0n,
    node,
    isBorrowed,
    isCoolingDown,
    owners,
  } = allocation;
  const { pod, namespace, type, timestamp } = attribute.secondary ?? {};
  return {
    ip: IpAddress.format(address),
    ...(handle === undefined ? {} : { handle }),
    sequenceNumber,
    ...(pod ? { pod } : {}),
    ...(namespace ? { namespace } : {}),
    ...(node ? { node } : {}),
    ...(type ? { type } : {}),
    ...(timestamp ? { creationTimestamp: timestamp } : {}),
    // An address that is cooling down becomes free by itself: nobody is to release it.
    inUse: owners.length > 0 || isCoolingDown,
    ...(isBorrowed ? { borrowed: true } : {}),
    ...(isCoolingDown ? { coolingDown: true } : {}),
    owners: owners.length === 0 ? null : owners,
  };
}

/** Reads a report; throws `CliError` on what is none. */
export function readReport(text: string, path: string): AuditReport {
  const reading = parseJson(text);
  if (reading.kind === "bad" || !isRecord(reading.value) || !isRecord(reading.value.allocations)) {
    throw new CliError(`${path} is not a report of ipam check`);
  }
  const { version, clusterGUID, clusterInformationRevision, allocations } = reading.value;
  const leaked = new Map<string, LeakedAddress>();
  for (const found of Object.values(allocations)) {
    for (const one of listOf(found)) {
      const address = isRecord(one) && one.inUse !== true ? IpAddress.parse(textOf(one.ip)) : undefined;
      if (address === undefined || !isRecord(one)) continue;
      const { handle, sequenceNumber } = one;
      leaked.set(IpAddress.format(address), {
        address,
        ...(typeof handle === "string" && handle !== "" ? { handle } : {}),
        ...(typeof sequenceNumber === "bigint" || Number.isSafeInteger(sequenceNumber)
          ? { sequenceNumber: BigInt(String(sequenceNumber)) }
          : {}),
      });
    }
  }
  return {
    version: textOf(version),
    clusterGuid: textOf(clusterGUID),
    clusterRevision: textOf(clusterInformationRevision),
    leaked,
    idleHandles: readHandles(reading.value.leakedHandles),
    surplusHandles: readHandles(reading.value.overcountingHandles),
  };
}

function readHandles(value: unknown): ReadonlyMap<string, string> {
  return new Map(
    listOf(value).flatMap((one) =>
      isRecord(one) && typeof one.ID === "string" ? [[one.ID, textOf(one.Revision)] as const] : [],
    ),
  );
}

/** What all reports name: the very same assignment of an address, and a handle that has not changed between them. */
export function mergeReports(
  reports: readonly AuditReport[],
): Pick<AuditReport, "leaked" | "idleHandles" | "surplusHandles"> {
  const last = reports.at(-1);
  if (last === undefined) return { leaked: new Map(), idleHandles: new Map(), surplusHandles: new Map() };
  const unchanged = (kind: "idleHandles" | "surplusHandles"): ReadonlyMap<string, string> =>
    new Map(
      [...last[kind]].filter(([id, revision]) => reports.every((one) => one[kind].get(id) === revision)),
    );
  return {
    leaked: new Map(
      [...last.leaked].filter(([key, one]) =>
        reports.every(({ leaked }) => isSameAssignment(leaked.get(key), one)),
      ),
    ),
    idleHandles: unchanged("idleHandles"),
    surplusHandles: unchanged("surplusHandles"),
  };
}

function isSameAssignment(found: LeakedAddress | undefined, one: LeakedAddress): boolean {
  return found !== undefined && found.handle === one.handle && found.sequenceNumber === one.sequenceNumber;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
