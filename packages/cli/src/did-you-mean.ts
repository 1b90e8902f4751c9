// By itself: a command line that is wrong, or is for BIRD, needs none of the schemas.
import { nearest } from "@caracal/resources/suggest";

/** `; did you mean X?` where one of the candidates is near `word`, else nothing: the end of a message. */
export function didYouMean(word: string, candidates: readonly string[], prefix = ""): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? "" : `; did you mean ${prefix}${candidate}?`;
}
