import { Revision, StoreError } from "@caracal/datastore";

const highest = 2n ** 63n - 1n;

/** etcd's revision numbers as the port's opaque text: a signed 64-bit decimal. */
export const EtcdRevision: {
  readonly parse: (revision: Revision) => bigint;
  readonly format: (revision: bigint) => Revision;
} = {
  parse: (revision) => {
    const value = /^[0-9]{1,19}$/.test(revision) ? BigInt(revision) : undefined;
    if (value === undefined || value > highest) {
      throw new StoreError("invalid", `'${revision}' is not a revision`);
    }
    return value;
  },
  format: (revision) => Revision.of(String(revision)),
};
