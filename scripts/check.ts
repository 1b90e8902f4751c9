/** `npm run check`: types, lint, format, the rules of the house, dead code. Under a minute; exit 1 on any finding. */
import { spawn } from "node:child_process";

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["types", "tsc", "-b"],
  ["lint", "oxlint", "--quiet"],
  ["format", "oxfmt", "--check"],
  ["tidy", process.execPath, "--test", "--test-reporter=dot", "test/tidy.test.ts"],
  ["dead code", "knip", "--no-progress", "--no-config-hints"],
];

let failed = 0;
for (const [name, command, ...args] of checks) {
  const startedAt = performance.now();
  const { code, output } = await capture(command, args);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  if (code !== 0) {
    failed += 1;
    console.log(output);
  }
}
process.exitCode = failed === 0 ? 0 : 1;

function capture(command: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
