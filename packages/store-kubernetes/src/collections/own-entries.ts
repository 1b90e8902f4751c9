import { createHash } from "node:crypto";
import { fields } from "../api/json-fields.ts";
import type { ApiResource } from "../api/object-api.ts";
import type { Collection } from "./collection.ts";
import { ObjectWriter } from "./object-writer.ts";

/** Caracal's own kind, for what it keeps beside Calico's layout: questions to nodes, and their answers. */
export const entryResource: ApiResource = {
  group: "caracal.projectcalico.org",
  version: "v1",
  plural: "entries",
  kind: "Entry",
  isNamespaced: false,
};

const prefix = "/caracal/";
/** How much of a key is seen in the name. */
const slugLength = 60;
const hashDigits = 32;

/** Keys below `/caracal/`, whatever follows: key and value are the object's, its name only tells objects apart. */
export const ownEntries: Collection = {
  resource: entryResource,
  prefix,
  address: (key) => (key.startsWith(prefix) ? { name: entryName(key) } : undefined),
  read: ({ document }) => {
    const { key, value } = fields(document["spec"]);
    return typeof key === "string" && typeof value === "string" ? { key, value } : undefined;
  },
  writer: (api) =>
    new ObjectWriter(api, ownEntries, {
      build: (key, value, { name }) => ({
        apiVersion: `${entryResource.group}/${entryResource.version}`,
        kind: entryResource.kind,
        metadata: { name },
        spec: { key, value },
      }),
    }),
};

function entryName(key: string): string {
  const slug = key
    .toLowerCase()
    .slice(prefix.length, prefix.length + slugLength)
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^-/, "");
  const hash = createHash("sha256").update(key).digest("hex").slice(0, hashDigits);
  return `${slug.endsWith("-") || slug === "" ? slug : `${slug}-`}${hash}`;
}
