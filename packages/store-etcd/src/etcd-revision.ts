import { Revision, StoreError } from "@caracal/datastore";

const highest = 2n ** 63n - 1n;
const noRevision = -1n;

/** etcd's revision numbers as the port's opaque text: a signed 64-bit decimal. */
export const EtcdRevision: {
  readonly parse: (revision: Revision) => bigint;
  /** As the revision of an entry: no entry has 0, but to etcd it stands for a key that is not there. */
  readonly ofEntry: (revision: Revision) => bigint;
  readonly format: (revision: bigint) => Revision;
} = {
  parse,
  ofEntry: (revision) => {
    const value = parse(revision);
    return value === 0n ? noRevision : value;
  },
  format: (revision) => Revision.of(String(revision)),
};

function parse(revision: Revision): bigint {
  const value = /^[0-9]{1,19}$/.test(revision) ? BigInt(revision) : undefined;
  if (value === undefined || value > highest) {
    throw new StoreError("invalid", `'${revision}' is not a revision`);
  }
  return value;
}
