/** Damaged input of the plugin: the promises of `plugin-call.fuzz.ts`, a bounded number of seeded rounds. */
import { fuzzTests } from "@caracal/testbed";
import { targets } from "./plugin-call.fuzz.ts";

fuzzTests(targets);
