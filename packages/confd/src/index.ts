/**
 * A node's intent as the configuration of BIRD 1.6: the six files that Calico's confd writes, with its sections, names and
 * filters. Pure: texts from plain data.
 *
 * Standards: BIRD 1.6's configuration language; what Calico's templates make BIRD do.
 * Not here: what the intent is (`@caracal/intent`), running BIRD, BIRD 2.
 */
export { type BirdFile, birdFileNames, type BirdFiles, birdFiles } from "./bird-files.ts";
export type { BirdOptions } from "./family-view.ts";
