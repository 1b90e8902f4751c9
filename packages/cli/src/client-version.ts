import { readFile } from "node:fs/promises";
import manifest from "../package.json" with { type: "json" };

/** This program's version, in Calico's form. */
export const clientVersion: string = `v${manifest.version}`;

/** The commit that a source tree stands at, shortened; `unknown` outside one. */
export async function readGitCommit(): Promise<string> {
  const root = new URL("../../../.git/", import.meta.url);
  try {
    const head = (await readFile(new URL("HEAD", root), "utf8")).trim();
    const reference = /^ref: (.+)$/.exec(head)?.[1];
    const commit = reference === undefined ? head : await readFile(new URL(reference, root), "utf8");
    return commit.slice(0, 9);
  } catch {
    return "unknown";
  }
}
