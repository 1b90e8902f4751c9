import { type Static, type Schema, Type } from "./type.ts";
import type { Immutable } from "./immutable.ts";
import { BlockText } from "./block-text.ts";
import { parseJson } from "./json-text.ts";
import { isRecord, type Reading, readSchema } from "./schema-reader.ts";
import type { Written } from "./written.ts";

const texts = Type.Map(Type.String());

/** int64: nanosecond times do not fit a JavaScript number, so these are bigints. */
const int64 = Type.BigInteger({ format: "int64", default: 0n });

const allocationAttributeSchema = Type.Object({
  handle_id: Type.Optional(Type.String()),
  secondary: Type.Optional(texts),
  alternateOwnerAttrs: Type.Optional(texts),
  releasedAt: Type.Optional(Type.String()),
});

const allocationBlockSchema = Type.Object({
  cidr: Type.String({ format: "cidr" }),
  /** `host:<node>` or `virtual:load-balancer`; absent for a block without an owner. */
  affinity: Type.Optional(Type.String()),
  affinity_claim_time: Type.Optional(Type.String()),
  /** A slot per address: null when free, else an index into `attributes`. */
  allocations: Type.Array(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
  /** Free ordinals, the next to be assigned first. */
  unallocated: Type.Array(Type.Integer({ minimum: 0 }), { default: [] }),
  attributes: Type.Array(allocationAttributeSchema, { default: [] }),
  deleted: Type.Boolean({ default: false }),
  sequenceNumber: int64,
  sequenceNumberForAllocation: Type.Map(int64, { default: {} }),
});

/** Owner of one or more addresses of a block. */
export type AllocationAttribute = Immutable<Static<typeof allocationAttributeSchema>>;

/** A block of addresses, as IPAM stores it. Field names are those of the store. */
export type AllocationBlock = Immutable<Static<typeof allocationBlockSchema>>;

const blockAffinitySchema = Type.Object({
  /** Old records have no state: they are confirmed. */
  state: Type.Enum(["confirmed", "pending", "pendingDeletion"], { default: "confirmed" }),
  deleted: Type.Boolean({ default: false }),
});

/** A node's claim on a block; node and block are in its key. */
export type BlockAffinityRecord = Immutable<Static<typeof blockAffinitySchema>>;

const ipamHandleSchema = Type.Object({
  /** Addresses held, by block CIDR. */
  block: Type.Map(Type.Integer({ minimum: 0 }), { default: {} }),
  deleted: Type.Boolean({ default: false }),
});

/** Where the addresses of one owner are; its ID is in its key. */
export type IpamHandle = Immutable<Static<typeof ipamHandleSchema>>;

const ipamConfigSchema = Type.Object({
  strict_affinity: Type.Boolean({ default: false }),
  // Calico omits false, so an absent key is false; an absent record is `defaultIpamConfig`.
  auto_allocate_blocks: Type.Boolean({ default: false }),
  maxBlocksPerHost: Type.Integer({ minimum: 0, default: 0 }),
  kubeVirtVMAddressPersistence: Type.Optional(Type.Enum(["Enabled", "Disabled"])),
  ipCooldownSeconds: Type.Integer({ minimum: 0, maximum: 1200, default: 0 }),
});

/** Cluster-wide IPAM settings. */
export type IpamConfig = Immutable<Static<typeof ipamConfigSchema>>;

/** What applies when the store holds no settings. */
export const defaultIpamConfig: IpamConfig = {
  strict_affinity: false,
  auto_allocate_blocks: true,
  maxBlocksPerHost: 0,
  ipCooldownSeconds: 0,
};

/** The two directions between a record and its JSON text in the store. */
export interface RecordCodec<T> {
  readonly parse: (json: string) => Reading<T>;
  readonly serialise: (record: T) => string;
  /** As `serialise`, quicker where the record has much in common with one that was written `before`. */
  readonly write: (record: T, before?: Written<T>) => Written<T>;
}

/** Fields that a newer Calico writes into blocks and their owners, and that are not known here, stay as they are. */
export const AllocationBlockCodec: RecordCodec<AllocationBlock> = recordCodec(allocationBlockSchema, {
  upgrade: upgradeBlock,
  keepsUnknown: true,
  write: (block, before) => new BlockText(block, before instanceof BlockText ? before : undefined),
});

export const BlockAffinityCodec: RecordCodec<BlockAffinityRecord> = recordCodec(blockAffinitySchema);

export const IpamHandleCodec: RecordCodec<IpamHandle> = recordCodec(ipamHandleSchema);

export const IpamConfigCodec: RecordCodec<IpamConfig> = recordCodec(ipamConfigSchema, { omitZero: true });

interface CodecOptions<T> {
  /** Rewrites older forms before the schema sees them. */
  readonly upgrade?: (value: unknown) => unknown;
  /** Unknown fields are dropped unless told. */
  readonly keepsUnknown?: boolean;
  /** Leave out false and 0, as Go's `omitempty` does. */
  readonly omitZero?: boolean;
  /** Takes the place of plain JSON. */
  readonly write?: RecordCodec<T>["write"];
}

function recordCodec<S extends Schema<unknown>>(
  schema: S,
  options: CodecOptions<Immutable<Static<S>>> = {},
): RecordCodec<Immutable<Static<S>>> {
  // No other record has numbers that JSON cannot write.
  const plain = (record: Immutable<Static<S>>): string =>
    JSON.stringify(options.omitZero === true ? withoutZeros(record) : record);
  const write = options.write ?? ((record) => ({ record, text: plain(record) }));
  return {
    parse: (json) => {
      const parsed = parseJson(json);
      if (parsed.kind === "bad") return parsed;
      const value = options.upgrade?.(parsed.value) ?? parsed.value;
      const unknownFields = options.keepsUnknown === true ? "keep" : "drop";
      return readSchema(schema, value, { unknownFields, defaults: true });
    },
    serialise: (record) => write(record).text,
    write,
  };
}

function withoutZeros(record: unknown): unknown {
  if (!isRecord(record)) return record;
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== false && value !== 0));
}

/** What early releases wrote otherwise; nobody reads their own two fields any more. */
function upgradeBlock(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const { hostAffinity, strictAffinity: _strictAffinity, ...block } = value;
  const isOwned = typeof block.affinity === "string" && block.affinity !== "";
  // They named the owner without the `host:`.
  const affinity = isOwned || typeof hostAffinity !== "string" ? block.affinity : `host:${hostAffinity}`;
  const { attributes } = block;
  return {
    ...block,
    affinity,
    attributes: Array.isArray(attributes) ? attributes.map(upgradeAttribute) : attributes,
  };
}

/** A move from host-local left carriage returns, and what follows them, at the ends of handles. */
function upgradeAttribute(value: unknown): unknown {
  if (!isRecord(value) || typeof value.handle_id !== "string") return value;
  const end = value.handle_id.indexOf("\r");
  return end < 0 ? value : { ...value, handle_id: value.handle_id.slice(0, end) };
}
