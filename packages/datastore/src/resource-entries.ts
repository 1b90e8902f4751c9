import {
  apiVersion,
  defaultIpamConfig,
  type IpamConfig,
  IpamConfigCodec,
  type IpamConfiguration,
  ipamConfigurationKind,
  parseJson,
  writeJson,
} from "@caracal/resources";
import { keys } from "./keys.ts";
import {
  type Entry,
  type Listing,
  type Revision,
  type Store,
  StoreError,
  type WriteOutcome,
} from "./store.ts";

const settingsPrefix = keys.resources(ipamConfigurationKind.plural);
const settingsKey = keys.resource(ipamConfigurationKind.plural, "default");

/** Attempts to write the copy while others write it too. */
const maxCopyAttempts = 5;

/** The two places of IPAM's settings, and what they say together. */
interface Settings {
  /** `/calico/ipam/v2/config`. */
  readonly record: Entry | undefined;
  readonly merged: Entry;
}

/**
 * Resources as entries of the store, one each, also the one that Calico keeps twice: IPAM reads its settings from the
 * record `/calico/ipam/v2/config`, while IPAMConfiguration `default` has a resource key of its own.
 *
 * Here the two are one. The record says what the settings are, and its revision is the resource's version, so that what a
 * person reads is what IPAM does, whoever wrote it. The resource key holds metadata, and a copy of the settings for Calico's
 * tools; without the record, IPAM's defaults are in force and are what is read. A write goes to the record first, by
 * compare-and-swap: should the copy not be written after it, the settings hold all the same, and the next write mends it.
 */
export class ResourceEntries {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async get(key: string): Promise<Entry | undefined> {
    return key === settingsKey ? (await this.#settings())?.merged : this.#store.get(key);
  }

  async list(prefix: string): Promise<Listing> {
    const listing = await this.#store.list(prefix);
    if (prefix !== settingsPrefix) return listing;
    const settings = await this.#settings();
    return { ...listing, entries: settings === undefined ? [] : [settings.merged] };
  }

  async create(key: string, value: string): Promise<WriteOutcome> {
    if (key !== settingsKey) return this.#store.create(key, value);
    const settings = await this.#settings();
    if (settings !== undefined) return { kind: "exists", current: settings.merged };
    const outcome = await this.#store.create(keys.ipamConfig, recordText(value));
    return this.#finish(outcome, value);
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    if (key !== settingsKey) return this.#store.update(key, value, revision);
    const settings = await this.#settings();
    if (settings === undefined) return { kind: "missing" };
    const { record, merged } = settings;
    if (merged.revision !== revision) return { kind: "conflict", current: merged };
    const text = recordText(value);
    const outcome =
      record === undefined
        ? await this.#store.create(keys.ipamConfig, text)
        : await this.#store.update(keys.ipamConfig, text, revision);
    // Someone else has made the record meanwhile.
    const isLate = outcome.kind === "exists";
    return isLate ? { kind: "conflict", current: outcome.current } : this.#finish(outcome, value);
  }

  async delete(key: string, revision?: Revision): Promise<WriteOutcome> {
    if (key !== settingsKey) return this.#store.delete(key, revision);
    const settings = await this.#settings();
    if (settings === undefined) return { kind: "missing" };
    const { record, merged } = settings;
    if (record === undefined) return this.#store.delete(settingsKey, revision);
    const outcome = await this.#store.delete(keys.ipamConfig, revision);
    if (outcome.kind !== "ok") return outcome;
    await this.#store.delete(settingsKey);
    return { kind: "ok", entry: merged };
  }

  async #settings(): Promise<Settings | undefined> {
    const [record, copy] = await Promise.all([
      this.#store.get(keys.ipamConfig),
      this.#store.get(settingsKey),
    ]);
    const newest = record ?? copy;
    if (newest === undefined) return undefined;
    return { record, merged: { key: settingsKey, value: merge(record, copy), revision: newest.revision } };
  }

  /** With the record written, the copy follows, whatever it holds by now. */
  async #finish(outcome: WriteOutcome, value: string): Promise<WriteOutcome> {
    if (outcome.kind !== "ok") return outcome;
    for (let attempt = 1; attempt <= maxCopyAttempts; attempt += 1) {
      const copy = await this.#store.get(settingsKey);
      const written =
        copy === undefined
          ? await this.#store.create(settingsKey, value)
          : await this.#store.update(settingsKey, value, copy.revision);
      if (written.kind === "ok") break;
    }
    return { kind: "ok", entry: { key: settingsKey, value, revision: outcome.entry.revision } };
  }
}

/** The resource that is read: the copy's metadata and the settings in force. */
function merge(record: Entry | undefined, copy: Entry | undefined): string {
  const config = record === undefined ? defaultIpamConfig : readRecord(record.value);
  // Not readable, which the reader of the resource will say.
  if (config === undefined) return record?.value ?? "";
  const stored = copy === undefined ? undefined : readCopy(copy.value);
  return writeJson({
    ...(stored ?? { kind: ipamConfigurationKind.name, apiVersion, metadata: { name: "default" } }),
    spec: specOf(config),
  });
}

function readRecord(text: string): IpamConfig | undefined {
  const reading = IpamConfigCodec.parse(text);
  return reading.kind === "ok" ? reading.value : undefined;
}

function readCopy(text: string): IpamConfiguration | undefined {
  const document = parseJson(text);
  if (document.kind === "bad") return undefined;
  const reading = ipamConfigurationKind.parse(document.value, "store");
  return reading.kind === "ok" ? reading.value : undefined;
}

/** Calico leaves out what is 0. */
function specOf(config: IpamConfig): IpamConfiguration["spec"] {
  const { strict_affinity, auto_allocate_blocks, maxBlocksPerHost, ipCooldownSeconds } = config;
  const { kubeVirtVMAddressPersistence } = config;
  return {
    strictAffinity: strict_affinity,
    autoAllocateBlocks: auto_allocate_blocks,
    ...(maxBlocksPerHost === 0 ? {} : { maxBlocksPerHost }),
    ...(kubeVirtVMAddressPersistence === undefined ? {} : { kubeVirtVMAddressPersistence }),
    ...(ipCooldownSeconds === 0 ? {} : { ipCooldownSeconds }),
  };
}

/** The record of a resource's settings. */
function recordText(resource: string): string {
  const spec = readCopy(resource)?.spec;
  if (spec === undefined) throw new StoreError("invalid", `${settingsKey} is not an IPAMConfiguration`);
  const { kubeVirtVMAddressPersistence } = spec;
  return IpamConfigCodec.serialise({
    strict_affinity: spec.strictAffinity,
    auto_allocate_blocks: spec.autoAllocateBlocks,
    maxBlocksPerHost: spec.maxBlocksPerHost ?? 0,
    ...(kubeVirtVMAddressPersistence === undefined ? {} : { kubeVirtVMAddressPersistence }),
    ipCooldownSeconds: spec.ipCooldownSeconds ?? 0,
  });
}
