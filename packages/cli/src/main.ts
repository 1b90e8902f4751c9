/**
 * The program behind `caracal`, `calicoctl` and `birdcl`. The first argument is the name it was called by: the launcher at
 * the repository's root gives it.
 */
import { loadThroughPack } from "./module-pack.ts";

// The launcher's own setting; what this program starts is not to inherit it.
const cache = process.env.NODE_COMPILE_CACHE ?? "";
delete process.env.NODE_COMPILE_CACHE;
if (cache !== "") loadThroughPack(new URL("../../../", import.meta.url), cache);
const { start } = await import("./process-context.ts");
await start();
