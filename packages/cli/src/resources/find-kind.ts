import { findKind, isKindName, type KindName, kinds } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { didYouMean } from "../did-you-mean.ts";

/** The kind that a person's word names; throws where there is none. */
export function kindNamed(word: string): KindName {
  const name = findKind(word)?.name;
  if (name !== undefined && isKindName(name)) return name;
  const words = [...Object.keys(kinds), ...Object.values(kinds).flatMap(({ aliases }) => aliases)];
  throw new CliError(`resource type '${word}' is not supported${didYouMean(word, words)}`);
}
