/**
 * `npm run bench`: every benchmark, one at a time, each against a real peer in the same run.
 *
 *   npm run bench                 all of them
 *   npm run bench -- ipam cni     only files whose path contains one of these texts
 *   npm run bench -- bgp --quick  options are the benchmark's own
 *
 * In a package, `npm run bench -w @caracal/bgp -- transit` runs those of that package whose path contains the text.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith("--"));
const parts = words.filter((word) => !word.startsWith("--"));
const isFolder = (part: string): boolean => part.startsWith("packages/") && part.endsWith("/");
const folders = parts.filter(isFolder);
const wanted = parts.filter((part) => !isFolder(part));
const files = globSync("packages/*/bench/*.bench.ts", { cwd: root })
  .filter((file) => folders.length === 0 || folders.some((folder) => file.startsWith(folder)))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .toSorted();
if (files.length === 0) {
  console.error(`no benchmark matches '${parts.join("', '")}'`);
  process.exit(1);
}
let failed = 0;
for (const file of files) {
  console.log(`\n=== ${file}`);
  const flags = ["--disable-warning=ExperimentalWarning", "--expose-gc"];
  const { status } = spawnSync(process.execPath, [...flags, resolve(root, file), ...options], {
    stdio: "inherit",
  });
  if (status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
