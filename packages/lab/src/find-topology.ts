import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { messageOf } from "@caracal/net";
import { LabError } from "./lab-error.ts";
import { parseTopology } from "./parse-topology.ts";
import type { Topology } from "./topology.ts";

const BUILT_IN_DIRECTORY = join(import.meta.dirname, "../topologies");
const EXTENSION = ".yaml";

/** Names of the topologies that come with Caracal. */
export function builtInTopologies(): readonly string[] {
  const files = readdirSync(BUILT_IN_DIRECTORY).filter((file) => file.endsWith(EXTENSION));
  return files.map((file) => basename(file, EXTENSION)).toSorted();
}

/** A built-in topology by its name, or one in a file: whatever has a slash or ends in .yaml or .yml. */
export function findTopology(nameOrFile: string): Topology {
  const isFile = /\/|\.ya?ml$/.test(nameOrFile);
  const builtIn = builtInTopologies();
  if (!isFile && !builtIn.includes(nameOrFile)) {
    throw new LabError(
      `there is no topology ${nameOrFile}: there are ${builtIn.join(", ")}, or give a file's path`,
    );
  }
  const file = isFile ? nameOrFile : join(BUILT_IN_DIRECTORY, `${nameOrFile}${EXTENSION}`);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new LabError(`cannot read the topology: ${messageOf(cause)}`, { cause });
  }
  return parseTopology(text, isFile ? file : basename(file));
}
