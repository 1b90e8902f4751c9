import { type Entry, keys } from "@caracal/datastore";
import {
  AllocationBlockCodec,
  BlockAffinityCodec,
  describeProblems,
  IpamConfigCodec,
  IpamHandleCodec,
  isKindName,
  isRecord,
  type KindName,
  kinds,
  parseJson,
  type RecordCodec,
  type Resource,
  writeJson,
} from "@caracal/resources";
import { parseManifest } from "@caracal/resources/manifest";
import { CliError } from "../cli-error.ts";

/*
 * The file of Calico's `datastore migrate export`, three parts between lines of `===`:
 *
 *   v3 resources     YAML: a list document of every kind, each followed by `---`
 *   cluster          ClusterInformation as JSON
 *   IPAM             JSON: block_affinities, blocks, handles and config, each as {Key, Value, TTL} with the etcd key
 */

const separator = "===\n";

/** Kinds of the first part, in Calico's order: what others refer to comes first. */
const exportedPlurals = [
  "ippools",
  "bgppeers",
  "tiers",
  "globalnetworkpolicies",
  "stagedglobalnetworkpolicies",
  "globalnetworksets",
  "hostendpoints",
  "kubecontrollersconfigurations",
  "networkpolicies",
  "stagednetworkpolicies",
  "stagedkubernetesnetworkpolicies",
  "networksets",
  "nodes",
  "bgpconfigurations",
  "felixconfigurations",
  "ipreservations",
  "bgpfilters",
] as const;

/** What a Kubernetes datastore has of its own, and Calico's file leaves out. */
const workloadPlurals = ["profiles", "workloadendpoints"] as const;

/** The kinds to export, in their order. */
export function exportedKinds(withWorkloads: boolean): readonly KindName[] {
  const plurals: readonly string[] = [...exportedPlurals, ...(withWorkloads ? workloadPlurals : [])];
  return plurals
    .flatMap((plural) => Object.values(kinds).find((kind) => kind.plural === plural)?.name ?? [])
    .filter(isKindName);
}

/** An IPAM record as the file holds it. */
export interface IpamRecord {
  readonly key: string;
  /** JSON, as in the store. */
  readonly value: string;
}

/** What a file holds, checked. */
export interface ExportFile {
  readonly resources: readonly Resource[];
  readonly cluster: { readonly clusterGUID?: string; readonly calicoVersion?: string };
  readonly ipam: readonly IpamRecord[];
}

/** The parts of a file as one text. */
export function joinParts(resources: string, cluster: unknown, entries: readonly Entry[]): string {
  return `${resources}${separator}${writeJson(cluster, 2)}\n${separator}${writeJson(ipamPart(entries), 2)}\n`;
}

function ipamPart(entries: readonly Entry[]): Readonly<Record<string, unknown>> {
  const records: Readonly<Record<"affinity" | "block" | "handle", unknown[]>> = {
    affinity: [],
    block: [],
    handle: [],
  };
  let config: unknown;
  for (const { key, value } of entries) {
    const named = keys.parse(key);
    if (named === undefined || named.kind === "resource") continue;
    const parsed = parseJson(value);
    if (parsed.kind === "bad")
      throw new CliError(`${key} cannot be read: ${describeProblems(parsed.problems)}`);
    const record = { Key: key, Value: parsed.value, TTL: 0 };
    if (named.kind === "ipamConfig") config = record;
    else records[named.kind].push(record);
  }
  return {
    ...(records.affinity.length === 0 ? {} : { block_affinities: records.affinity }),
    ...(records.block.length === 0 ? {} : { blocks: records.block }),
    ...(records.handle.length === 0 ? {} : { handles: records.handle }),
    ...(config === undefined ? {} : { config }),
  };
}

/** Reads a file whole, and throws `CliError` when any part of it is wrong: nothing is imported of such a file. */
export function readExportFile(text: string, name: string): ExportFile {
  const parts = text.split(separator);
  const [resourcePart = "", clusterPart = "", ipamText = ""] = parts;
  if (parts.length !== 3) {
    throw new CliError(
      `Error while reading migration file: Imported file: ${name} is improperly formatted. Try recreating with 'calicoctl export'`,
    );
  }
  const manifest = parseManifest(resourcePart);
  const [error] = manifest.errors;
  if (error !== undefined) {
    throw new CliError(`Failed to import v3 resources: ${error.message} [line ${error.line} of ${name}]`);
  }
  const cluster = parseJson(clusterPart);
  if (cluster.kind === "bad" || !isRecord(cluster.value) || cluster.value.kind !== "ClusterInformation") {
    throw new CliError("Error reading exported cluster info for migration: it is not a ClusterInformation");
  }
  const spec = isRecord(cluster.value.spec) ? cluster.value.spec : {};
  const { clusterGUID, calicoVersion } = spec;
  return {
    resources: manifest.resources.map(({ resource }) => resource),
    cluster: {
      ...(typeof clusterGUID === "string" ? { clusterGUID } : {}),
      ...(typeof calicoVersion === "string" ? { calicoVersion } : {}),
    },
    ipam: readIpam(ipamText),
  };
}

const codecs: Readonly<
  Record<"affinity" | "block" | "handle" | "ipamConfig", Pick<RecordCodec<unknown>, "parse">>
> = {
  affinity: BlockAffinityCodec,
  block: AllocationBlockCodec,
  handle: IpamHandleCodec,
  ipamConfig: IpamConfigCodec,
};

/** Affinities first, as they are taken first. */
function readIpam(text: string): readonly IpamRecord[] {
  const fail = (why: string): never => {
    throw new CliError(`Failed to read IPAM resources: ${why}`);
  };
  const parsed = parseJson(text);
  if (parsed.kind === "bad") return fail(describeProblems(parsed.problems));
  const part = isRecord(parsed.value) ? parsed.value : fail("it is not a mapping");
  const lists = ["block_affinities", "blocks", "handles"].map((list) => part[list] ?? []);
  const records = [...lists, part.config === undefined ? [] : [part.config]].flatMap(
    (list): readonly unknown[] => (Array.isArray(list) ? list : fail("a list of records is none")),
  );
  return records.map((record) => {
    const key = isRecord(record) ? record.Key : undefined;
    if (!isRecord(record) || typeof key !== "string") return fail("a record has no Key");
    const named = keys.parse(key);
    if (named === undefined || named.kind === "resource") return fail(`${key} is not a key of IPAM`);
    const value = writeJson(record.Value ?? {});
    const reading = codecs[named.kind].parse(value);
    return reading.kind === "ok" ? { key, value } : fail(`${key}: ${describeProblems(reading.problems)}`);
  });
}
