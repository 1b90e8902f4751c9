/**
 * Damaged and made-up messages go through every decoder, a session and a speaker: what comes out is what their promises
 * say, for every input. Seeded and bounded; `npm run fuzz` runs the same for longer.
 */
import { fuzzTests } from "@caracal/testbed";
import { targets as sessionTargets } from "./session.fuzz.ts";
import { targets as speakerTargets } from "./speaker.fuzz.ts";
import { targets as wireTargets } from "./wire.fuzz.ts";

fuzzTests([...wireTargets, ...sessionTargets, ...speakerTargets]);
