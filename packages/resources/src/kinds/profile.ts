import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { checkLabels } from "../metadata.ts";
import { checkRules } from "../policy/check-rules.ts";
import { rulesSchema } from "../policy/rule-schema.ts";
import { apiVersion, resourceSchema } from "../resource-schema.ts";

const profileSchema = resourceSchema(
  "Profile",
  Type.Object(
    {
      ingress: rulesSchema,
      egress: rulesSchema,
      labelsToApply: Type.Optional(
        Type.Map(Type.String(), {
          description: "Labels that the endpoints of the profile get where they have none of their own.",
        }),
      ),
    },
    { default: {} },
  ),
);

/** Rules and labels that endpoints take part in by naming the profile; its rules come after all policies. */
export type Profile = Immutable<Static<typeof profileSchema>>;

export const profileKind: Kind<Profile> = defineKind({
  name: "Profile",
  plural: "profiles",
  aliases: ["profile", "profiles", "pro", "pros"],
  schema: profileSchema,
  check: ({ spec }) => [
    ...checkLabels(spec.labelsToApply, "spec.labelsToApply", "LabelsToApply"),
    ...checkRules(spec.ingress, "ingress", "profile"),
    ...checkRules(spec.egress, "egress", "profile"),
  ],
});

/** The profile that is always there, allows everything and is stored nowhere. */
export const defaultAllowProfile: Profile = {
  kind: "Profile",
  apiVersion,
  metadata: { name: "projectcalico-default-allow", resourceVersion: "1" },
  spec: {
    ingress: [{ action: "Allow", source: {}, destination: {} }],
    egress: [{ action: "Allow", source: {}, destination: {} }],
  },
};
