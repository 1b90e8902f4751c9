/**
 * A pair and twenty speakers — reflectors, a mesh, external sessions with policies — lose links, are cut, killed, restarted
 * with and without graceful restart, congested, change what they have and what they refuse, and have their clocks jump, all
 * by seeded dice in virtual time. At every step no route is without a source and nothing is told that policy forbids; when
 * it is quiet every table is the stable state of a separate model. `npm run fuzz` goes on for longer.
 */
import { fuzzTests } from "@caracal/testbed";
import { targets } from "./world.fuzz.ts";

fuzzTests(targets);
