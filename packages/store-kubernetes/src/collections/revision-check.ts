import { type Revision, StoreError } from "@caracal/datastore";

const maxVersion = 2n ** 64n - 1n;

/** A single kind's version, as the API server gives them. Anything else is refused: it would mean "whatever is there". */
export function checkVersion(revision: Revision): string {
  if (/^\d{1,20}$/.test(revision) && BigInt(revision) <= maxVersion) return revision;
  throw new StoreError("invalid", `'${revision}' is not a revision of an entry`);
}
