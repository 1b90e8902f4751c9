/**
 * The program behind `caracal`, `calicoctl` and `birdcl`. The first argument is the name it was called by: the launcher at
 * the repository's root gives it.
 */
import { start } from "./process-context.ts";

// The launcher's own setting; what this program starts is not to inherit it.
delete process.env.NODE_COMPILE_CACHE;
await start();
