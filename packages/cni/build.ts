/** Builds `dist/bin/calico` and `dist/bin/calico-ipam`: what a container runtime's CNI_PATH points at. */
import { buildPlugins } from "./src/build-plugins.ts";

const built = buildPlugins(process.argv.includes("--node") ? { form: "node" } : {});
const why = built.reason === undefined ? "" : `: ${built.reason}`;
process.stdout.write(`CNI plugins (${built.form}${why}) in ${built.directory}\n`);
