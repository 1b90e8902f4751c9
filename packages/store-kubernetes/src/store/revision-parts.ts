import { Revision, StoreError } from "@caracal/datastore";

/** Of a kind that the server does not know: there is nothing to watch from. */
const unknownKind = "-";

/** The versions at which several kinds were listed, as one revision: `12/15/-`. Of one kind it is that kind's version. */
export function joinRevision(parts: readonly (string | undefined)[]): Revision {
  return Revision.of(parts.map((part) => part ?? unknownKind).join("/"));
}

/** The other way, for so many kinds. A revision of another listing is refused. */
export function splitRevision(revision: Revision, count: number): readonly (string | undefined)[] {
  const parts = revision.split("/");
  const isWell = parts.every((part) => part === unknownKind || /^\d{1,20}$/.test(part));
  if (parts.length === count && isWell) {
    return parts.map((part) => (part === unknownKind ? undefined : part));
  }
  throw new StoreError("invalid", `'${revision}' is not the revision of a listing of ${count} kinds`);
}
