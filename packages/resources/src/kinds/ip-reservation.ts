import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { resourceSchema, setOf, text } from "../resource-schema.ts";

const ipReservationSchema = resourceSchema(
  "IPReservation",
  Type.Object({ reservedCIDRs: Type.Optional(setOf(text("ipOrCidr"))) }, { default: {} }),
);

/** Addresses that are never assigned automatically. */
export type IpReservation = Immutable<Static<typeof ipReservationSchema>>;

export const ipReservationKind: Kind<IpReservation> = defineKind({
  name: "IPReservation",
  plural: "ipreservations",
  aliases: ["ipreservation", "ipreservations", "reservation", "reservations"],
  schema: ipReservationSchema,
});
