/**
 * `npm run bench`: every benchmark, one at a time, each against a real peer in the same run.
 *
 *   npm run bench                 all of them
 *   npm run bench -- ipam cni     only files whose path contains one of these texts
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

const wanted = process.argv.slice(2);
const files = globSync("packages/*/bench/*.bench.ts")
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .toSorted();
if (files.length === 0) {
  console.error(`no benchmark matches '${wanted.join("', '")}'`);
  process.exit(1);
}
let failed = 0;
for (const file of files) {
  console.log(`\n=== ${file}`);
  const flags = ["--disable-warning=ExperimentalWarning", "--expose-gc"];
  const { status } = spawnSync(process.execPath, [...flags, file], { stdio: "inherit" });
  if (status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
