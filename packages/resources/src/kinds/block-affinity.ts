import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind, type RawDocument } from "../kind.ts";
import { choice, resourceSchema, text } from "../resource-schema.ts";
import { isRecord, type Reading } from "../schema-reader.ts";

const blockAffinitySchema = resourceSchema(
  "BlockAffinity",
  Type.Object({
    state: Type.Optional(choice(["confirmed", "pending", "pendingDeletion"])),
    node: Type.Optional(Type.String()),
    type: Type.Optional(Type.String({ description: "host, or virtual for blocks that no node has." })),
    cidr: Type.Optional(text("cidr")),
    deleted: Type.Optional(Type.Boolean()),
  }),
);

/** Which node a block of addresses is of, as a resource to read; IPAM's own record is elsewhere. */
export type BlockAffinity = Immutable<Static<typeof blockAffinitySchema>>;

export const blockAffinityKind: Kind<BlockAffinity> = defineKind({
  name: "BlockAffinity",
  plural: "blockaffinities",
  aliases: ["blockaffinity", "blockaffinities"],
  schema: blockAffinitySchema,
  operations: [],
  convert: readDeleted,
});

/** The stored form has `deleted` as text. */
function readDeleted(document: RawDocument): Reading<RawDocument> {
  const { spec } = document;
  if (!isRecord(spec) || typeof spec.deleted !== "string") return { kind: "ok", value: document };
  return { kind: "ok", value: { ...document, spec: { ...spec, deleted: spec.deleted === "true" } } };
}
