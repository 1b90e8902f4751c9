import { readFile, stat } from "node:fs/promises";
import { Revision, StoreError } from "@caracal/datastore";
import { type AddressReleaseResult, givenUpAfter, type HandleCorrection, IpamError } from "@caracal/ipam";
import { IpAddress, messageOf } from "@caracal/net";
import { CliError } from "../cli-error.ts";
import { clientVersion } from "../client-version.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { configOption } from "../global-options.ts";
import { type AuditReport, type LeakedAddress, mergeReports, readReport } from "../ipam/audit-report.ts";
import { parseAddress } from "../ipam/parse-address.ts";
import { openIpam } from "../ipam/open-ipam.ts";
import { readServices, readUses } from "../ipam/take-audit.ts";
import { tellWaiting } from "../output/tell-waiting.ts";

export const ipamRelease: Command = {
  name: "ipam release",
  description:
    "Of several reports only what all of them name is released; one of them must be of the cluster as it is now. The address is not taken away from a workload that still has it: only release what nobody uses.",
  options: [
    { name: "ip", value: "IP", summary: "This one address." },
    {
      name: "from-report",
      value: "FILE",
      summary: "What ipam check -o found to be leaked. May be given several times.",
    },
    {
      name: "force",
      summary: "Go on though the datastore is not locked, or the report is of another version.",
    },
    configOption,
  ],
  run: async (ctx, args) => {
    const paths = args.texts("from-report");
    const text = args.text("ip");
    if (paths.length > 0 && text !== undefined)
      throw new CliError("--ip and --from-report exclude each other");
    if (paths.length > 0) {
      const reports = await Promise.all(paths.map(loadReport));
      return withConnection(ctx, args, (connection) =>
        releaseReports(ctx, connection, { args, paths, reports }),
      );
    }
    if (text === undefined) throw new CliError("ipam release needs --ip or --from-report");
    const address = parseAddress(text);
    return withConnection(ctx, args, async (connection) => {
      const shown = IpAddress.format(address);
      const owners = await ownersOf(connection, address);
      const result = await openIpam(ctx, connection, "").release({ address });
      if (result.kind === "conflict") throw new CliError(`error: ${result.message}`);
      if (result.kind === "unallocated") throw new CliError(`IP address ${shown} is not assigned`);
      ctx.stdout.write(`Successfully released IP address ${shown}\n`);
      if (owners.length > 0) {
        ctx.stderr.write(
          `${shown} is in use by ${owners.join(", ")} and may be given to another from now on\n`,
        );
      }
      return 0;
    });
  },
};

/** Who has an address; nobody is known where the user may not ask. */
async function ownersOf({ store }: Connection, address: IpAddress): Promise<readonly string[]> {
  try {
    const uses = await readUses(store, []);
    return uses.filter((use) => use.address === address).map(({ owner }) => owner);
  } catch (error) {
    if (error instanceof StoreError && error.code === "unauthorized") return [];
    throw error;
  }
}

/** In Go's words. */
const readFailures: Partial<Readonly<Record<string, (path: string) => string>>> = {
  ENOENT: (path) => `open ${path}: no such file or directory`,
  EACCES: (path) => `open ${path}: permission denied`,
  EISDIR: (path) => `read ${path}: is a directory`,
};

async function loadReport(path: string): Promise<AuditReport> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    throw new CliError(readFailures[String(code)]?.(path) ?? messageOf(cause), { cause });
  });
  return readReport(text, path);
}

interface Given {
  readonly args: Arguments;
  readonly paths: readonly string[];
  readonly reports: readonly AuditReport[];
}

async function releaseReports(ctx: CliContext, connection: Connection, given: Given): Promise<number> {
  const isLocked = await checkReports(ctx, connection, given);
  const { leaked, idleHandles, surplusHandles } = mergeReports(given.reports);
  if (leaked.size === 0) ctx.stdout.write("Report didn't contain any leaked IPs to clean up.\n");
  else await releaseLeaked(ctx, connection, [...leaked.values()]);
  if (!isLocked && idleHandles.size + surplusHandles.size > 0) await waitForAssignments(ctx, given.paths);
  if (idleHandles.size === 0) ctx.stdout.write("Report didn't contain any handles to clean up.\n");
  else {
    ctx.stdout.write(
      `Deleting ${idleHandles.size} handles...\nKey: '.' = Deleted OK; 'x' = skip, handle missing/changed.\n`,
    );
  }
  const released = await correctHandles(ctx, connection, idleHandles, ["deleted"]);
  if (idleHandles.size > 0) ctx.stdout.write(`\nReleased ${released.done} handles; ${sumUp(released)}.\n`);
  if (surplusHandles.size > 0) {
    ctx.stdout.write(
      `Correcting ${surplusHandles.size} handles...\nKey: '.' = Corrected OK; 'x' = skip, handle missing/changed.\n`,
    );
  }
  const corrected = await correctHandles(ctx, connection, surplusHandles, ["deleted", "lowered"]);
  if (surplusHandles.size > 0)
    ctx.stdout.write(`\nCorrected ${corrected.done} handles; ${sumUp(corrected)}.\n`);
  ctx.stdout.write("You may now unlock the data store.\n");
  return released.failed + corrected.failed > 0 ? 1 : 0;
}

/**
 * A report of another cluster, or of a time gone by, would take addresses from who has them now. Says whether the datastore is
 * locked.
 */
async function checkReports(ctx: CliContext, { resources }: Connection, given: Given): Promise<boolean> {
  const found = await resources.get("ClusterInformation", "default");
  if (found.kind === "failed") throw new CliError(found.message);
  const { spec, metadata } = found.resource;
  const isForced = given.args.flag("force");
  for (const [index, { clusterGuid, version }] of given.reports.entries()) {
    const path = given.paths[index] ?? "";
    if (clusterGuid !== (spec.clusterGUID ?? "")) {
      throw new CliError(
        `cluster does not match the provided report (${path}): mismatched cluster GUID. Refusing to release`,
      );
    }
    if (version === clientVersion) continue;
    if (!isForced) {
      throw new CliError(
        `the provided report (${path}) was produced using a different version (${version}) of calicoctl. Refusing to release`,
      );
    }
    ctx.stdout.write(
      "WARNING: Report was produced using a different version of calicoctl. Ignoring due to --force option\n",
    );
  }
  if (given.reports.every(({ clusterRevision }) => clusterRevision !== metadata.resourceVersion)) {
    throw new CliError(
      "the provided reports are all stale - at least one should be up-to-date. Please generate a new report while the data store is locked and try again",
    );
  }
  if (spec.datastoreReady === false) return true;
  if (!isForced) {
    throw new CliError("data store is not locked. Either lock the data store, or re-run with --force");
  }
  ctx.stdout.write("WARNING: Data store is not locked. Ignoring due to --force option\n");
  return false;
}

/** Releases that wait at once. */
const batchSize = 1000;

async function releaseLeaked(
  ctx: CliContext,
  connection: Connection,
  leaked: readonly LeakedAddress[],
): Promise<void> {
  ctx.stdout.write(`Releasing ${leaked.length} old IPs...\n`);
  // Reports are of times gone by: whoever has turned up with an address since keeps it.
  const used = await addressesInUse(ctx, connection);
  const going = leaked.filter(({ address }) => !used.has(address));
  const ipam = openIpam(ctx, connection, "");
  const results: AddressReleaseResult[] = [];
  for (let first = 0; first < going.length; first += batchSize) {
    const batch = going.slice(first, first + batchSize);
    results.push(...(await Promise.all(batch.map((one) => ipam.release(one)))));
  }
  for (const result of results) {
    if (result.kind !== "conflict") continue;
    ctx.stdout.write(
      `An error occurred while releasing some IPs: ${result.message}.  Problems are often caused by an out-of-date IPAM report.  Try regenerating the IPAM report and retry.\n`,
    );
  }
  const releasedCount = results.filter(({ kind }) => kind === "released").length;
  const goneCount = results.filter(({ kind }) => kind === "unallocated").length;
  ctx.stdout.write(`Released ${releasedCount} IPs successfully\n`);
  if (goneCount > 0) {
    ctx.stdout.write(`${goneCount} addresses marked as leaked in the report had already been cleaned up.\n`);
  }
  if (going.length < leaked.length) {
    const count = leaked.length - going.length;
    ctx.stdout.write(`${count} addresses marked as leaked in the report are in use by now and were kept.\n`);
  }
}

/** Whoever Kubernetes' services are asked of; elsewhere nobody tells who of them has an address. */
async function addressesInUse(
  ctx: CliContext,
  { store, datastoreType }: Connection,
): Promise<ReadonlySet<IpAddress>> {
  const services = datastoreType === "kubernetes" ? await readServices(store) : [];
  const uses = await tellWaiting(ctx, "reading the datastore", readUses(store, services));
  return new Set(uses.map(({ address }) => address));
}

/**
 * Where the datastore is not locked, what a handle counts may be an assignment under way: nobody's is a minute old. A report is
 * no older than its file.
 */
async function waitForAssignments(ctx: CliContext, paths: readonly string[]): Promise<void> {
  const written = await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs));
  const longestMs = Number(givenUpAfter / 1_000_000n) + 1_000;
  const ageMs = Math.max(0, ctx.now().getTime() - Math.min(...written));
  if (ageMs >= longestMs) return;
  const waitMs = longestMs - ageMs;
  ctx.stderr.write(`waiting ${Math.ceil(waitMs / 1_000)} s for assignments that may be under way\n`);
  await ctx.sleep(waitMs);
}

/** Handles that are corrected at once. */
const handlesAtOnce = 8;

interface HandleCount {
  done: number;
  skipped: number;
  failed: number;
}

function sumUp({ skipped, failed }: HandleCount): string {
  return `${skipped} skipped; ${failed} errors`;
}

/** Those that are not as they were any more are left alone. */
async function correctHandles(
  ctx: CliContext,
  connection: Connection,
  handles: ReadonlyMap<string, string>,
  done: readonly HandleCorrection[],
): Promise<HandleCount> {
  const count = { done: 0, skipped: 0, failed: 0 };
  const waiting = handles.entries();
  const work = async (): Promise<void> => {
    const ipam = openIpam(ctx, connection, "");
    for (const [id, revision] of waiting) {
      try {
        const isDone = done.includes(await ipam.correctHandle(id, Revision.of(revision)));
        count[isDone ? "done" : "skipped"] += 1;
        ctx.stdout.write(isDone ? "." : "x");
      } catch (error) {
        if (!(error instanceof IpamError)) throw error;
        count.failed += 1;
        ctx.stdout.write(`\nDeleting handle ${id} failed: ${error.message}.\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(handlesAtOnce, handles.size) }, work));
  return count;
}
