import { accessSync, constants } from "node:fs";
import { isAbsolute, join } from "node:path";

/** Where Debian puts daemons that an ordinary PATH leaves out. */
const EXTRA_DIRECTORIES: readonly string[] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/**
 * `false` when the program is there, otherwise the reason to skip: fits `test(name, { skip: requireTool("bird") })`.
 * A name may be a path.
 */
export function requireTool(...names: readonly string[]): string | false {
  const missing = names.filter((name) => findTool(name) === undefined);
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

/** `false` for root, otherwise the reason to skip. */
export function requireRoot(): string | false {
  return process.geteuid?.() === 0 ? false : "needs root, to make network namespaces";
}

/** `false` where the tier `uml` runs its tests, otherwise the reason to skip: what they do to the kernel is not for any other. */
export function requireMachine(): string | false {
  return process.env["CARACAL_IN_UML"] === "1"
    ? false
    : "runs on a user-mode Linux only: npm test -- --tier uml";
}

/** The program's path, or `undefined`. */
export function findTool(name: string): string | undefined {
  if (isAbsolute(name)) return isExecutable(name) ? name : undefined;
  const directories = [...(process.env["PATH"] ?? "").split(":"), ...EXTRA_DIRECTORIES];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
