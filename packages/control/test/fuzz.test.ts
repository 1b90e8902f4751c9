/** Damaged lines on the control socket: the promises of `messages.fuzz.ts`, a bounded number of seeded rounds. */
import { fuzzTests } from "@caracal/testbed";
import { targets } from "./messages.fuzz.ts";

fuzzTests(targets);
