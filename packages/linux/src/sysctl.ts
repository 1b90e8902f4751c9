import { readFileSync, writeFileSync } from "node:fs";
import { KernelError } from "./kernel-error.ts";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";

/**
 * Reads a kernel setting by its path below /proc/sys, such as "net/ipv4/conf/eth0/proxy_arp" (slashes: interface
 * names may contain dots). Settings below `net` are those of the given namespace, else of the thread's own.
 */
export function readSysctl(path: string, namespace?: NamespaceTarget): string {
  return onFile("sysctl.read", path, namespace, (file) => readFileSync(file, "utf8").trimEnd());
}

/** Writes a kernel setting; see `readSysctl`. */
export function writeSysctl(path: string, value: string | number, namespace?: NamespaceTarget): void {
  onFile("sysctl.write", path, namespace, (file) => writeFileSync(file, String(value)));
}

function onFile<Result>(
  op: string,
  path: string,
  namespace: NamespaceTarget | undefined,
  use: (file: string) => Result,
): Result {
  if (!/^[^/\0]+(\/[^/\0]+)*$/.test(path) || path.split("/").some((part) => part === "." || part === "..")) {
    throw new KernelError(op, "EINVAL", `"${path}" is no setting's path`);
  }
  const file = `/proc/sys/${path}`;
  try {
    return namespace === undefined ? use(file) : withNamespace(namespace, () => use(file));
  } catch (error) {
    throw KernelError.from(op, error);
  }
}
