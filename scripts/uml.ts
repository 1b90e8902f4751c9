/**
 * `npm run uml -- COMMAND…`: runs a command on a user-mode Linux with this machine's files, as root there. So what needs a
 * kernel module that the host lacks can be tried all the same:
 *
 *   npm run uml -- sh -c './caracal lab up ipip-always && ./caracal lab check'
 *
 * What the command changes is gone when it ends; it reads no input. UML_TIMEOUT=SECONDS ends it earlier or later than in ten minutes.
 */
import { machineMissing, runInMachine } from "./uml/machine.ts";

const command = process.argv.slice(2);
if (command.length === 0) fail("usage: npm run uml -- COMMAND [ARGUMENT]…");
const missing = machineMissing();
if (missing !== undefined) fail(`no user-mode Linux here: ${missing}`);

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
const seconds = Number(process.env["UML_TIMEOUT"] ?? "600");
const outcome = await runInMachine({
  directory: process.cwd(),
  command,
  env: { HOME: "/root" },
  timeoutMs: seconds * 1000,
  onLine: (line) => console.log(line),
  signal: stop.signal,
});
switch (outcome.kind) {
  case "exited":
    process.exitCode = outcome.exitCode;
    break;
  case "timedOut":
    fail(`ended after ${seconds} s`);
    break;
  case "stopped":
    fail("stopped");
    break;
  case "died":
    fail(`the machine died; its last lines:\n${outcome.lastLines.join("\n")}`);
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
