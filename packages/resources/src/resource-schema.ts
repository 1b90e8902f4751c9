import { type Schema, Type } from "./type.ts";

/** The one API version of the resources. */
export const apiVersion = "projectcalico.org/v3";

/** Annotations of one object together: 256 KiB, as in Kubernetes. */
export const maxAnnotationBytes = 256 * 1024;

const textMap = Type.Map(Type.String());

const ownerReferenceSchema = Type.Object({
  apiVersion: Type.String(),
  kind: Type.String(),
  name: Type.String(),
  uid: Type.String(),
  controller: Type.Optional(Type.Boolean()),
  blockOwnerDeletion: Type.Optional(Type.Boolean()),
});

/** Object metadata, in the order Kubernetes prints it. */
export const metadataSchema = Type.Object({
  name: Type.String({ description: "Name, unique in its kind and namespace." }),
  generateName: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String({ description: "Namespace; only for namespaced kinds." })),
  selfLink: Type.Optional(Type.String()),
  uid: Type.Optional(Type.String({ description: "Set when the resource is created." })),
  resourceVersion: Type.Optional(Type.String({ description: "Revision that the resource was read at." })),
  generation: Type.Optional(Type.Integer()),
  creationTimestamp: Type.Optional(Type.String({ format: "timestamp" })),
  deletionTimestamp: Type.Optional(Type.String({ format: "timestamp" })),
  deletionGracePeriodSeconds: Type.Optional(Type.Integer()),
  labels: Type.Optional(textMap),
  annotations: Type.Optional(textMap),
  ownerReferences: Type.Optional(Type.Array(ownerReferenceSchema)),
  finalizers: Type.Optional(Type.Array(Type.String())),
});

/** The envelope of a kind around its spec. */
export function resourceSchema<K extends string, Spec extends Schema<unknown>>(kind: K, spec: Spec) {
  return Type.Object({
    kind: Type.Literal(kind),
    apiVersion: Type.Literal(apiVersion),
    metadata: metadataSchema,
    spec,
  });
}

/** The envelope of a kind that also has a status. */
export function resourceWithStatusSchema<
  K extends string,
  Spec extends Schema<unknown>,
  Status extends Schema<unknown>,
>(kind: K, spec: Spec, status: Status) {
  return Type.Object({
    kind: Type.Literal(kind),
    apiVersion: Type.Literal(apiVersion),
    metadata: metadataSchema,
    spec,
    status: Type.Optional(status),
  });
}

/** What a controller says of a resource, as in Kubernetes. */
export const conditionsStatusSchema = Type.Object({
  conditions: Type.Optional(
    Type.Array(
      Type.Object({
        type: Type.String({ maxLength: 316 }),
        status: choice(["True", "False", "Unknown"]),
        observedGeneration: Type.Optional(Type.Integer({ minimum: 0 })),
        lastTransitionTime: Type.Optional(text("timestamp")),
        reason: Type.Optional(Type.String({ maxLength: 1024 })),
        message: Type.Optional(Type.String({ maxLength: 32768 })),
      }),
    ),
  ),
});

/** One of several words. */
export function choice<Words extends string[]>(
  words: readonly [...Words],
  options: { readonly default?: Words[number]; readonly description?: string } = {},
) {
  return Type.Enum(words, options);
}

/** One of several words in any case; the text is kept as it was written. */
export function anyCase(words: readonly string[], options: { readonly description?: string } = {}) {
  const letters = (word: string): string =>
    word.replaceAll(/[a-zA-Z]/g, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`);
  return Type.String({ pattern: `^(${words.map(letters).join("|")})$`, anyCaseOf: words, ...options });
}

/** A list that holds nothing twice. */
export function setOf<Item>(
  items: Schema<Item>,
  options: {
    readonly maxItems?: number;
    readonly description?: string;
    readonly default?: readonly string[];
  } = {},
) {
  return Type.Array(items, { uniqueItems: true, ...options });
}

/** A port, range of ports or, where names have a meaning, named port. */
export function port(format: "port" | "portRange", minimum: 0 | 1) {
  return Type.Union([Type.Integer({ minimum, maximum: 65535 }), text(format)]);
}

/** A protocol by name or number. */
export function protocol() {
  return Type.Union([Type.Integer({ minimum: 1, maximum: 255 }), text("protocol")]);
}

/** Selectors in a custom resource are limited to this by Kubernetes. */
const maxSelectorLength = 1024;

/** Text in one of the forms of `formats`. */
export function text(
  format: string,
  options: { readonly description?: string; readonly default?: string } = {},
) {
  return Type.String({
    format,
    ...(format === "selector" ? { maxLength: maxSelectorLength } : {}),
    ...options,
  });
}

/** An AS number: a number, or text such as `64512` and `1.10`. */
export function asNumber(description: string) {
  return Type.Integer({ format: "asNumber", minimum: 0, maximum: 4294967295, description });
}

/** A key of a Kubernetes secret. */
export const secretRefSchema = Type.Object({
  secretKeyRef: Type.Optional(
    Type.Object({
      name: Type.Optional(Type.String()),
      key: Type.String(),
      optional: Type.Optional(Type.Boolean()),
    }),
  ),
});
