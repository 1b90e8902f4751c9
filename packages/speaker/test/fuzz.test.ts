/** Damaged configuration files: the promises of `configuration.fuzz.ts`, a bounded number of seeded rounds. */
import { fuzzTests } from "@caracal/testbed";
import { targets } from "./configuration.fuzz.ts";

fuzzTests(targets);
