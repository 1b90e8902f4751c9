/** For tests: what a container runtime on a lab's node needs: the plugins as they are installed on a host, and something to run. */
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugins, installPlugins, readInstallSettings } from "@caracal/cni";
import { findTool } from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";

/** What containers of the rootfs serve with `httpd -f -p 80 -h /www`. */
export const page = "hello from another node";

/** Where a node's plugins and network configurations are. */
export interface InstalledCni {
  readonly bin: string;
  readonly net: string;
}

/** `caracal cni install` for one node of a lab. */
export function installCni(lab: LabDirectory, node: string, directory: string): InstalledCni {
  const [bin, net] = [join(directory, "bin"), join(directory, "net")];
  const outcome = readInstallSettings({
    env: { CARACAL_LIB_DIR: join(directory, "lib"), CARACAL_RUN_DIR: lab.runDirectory(node) },
    hostName: node,
    readFile: () => "",
    exists: () => false,
    isWritable: () => true,
    binDirectory: bin,
    netDirectory: net,
  });
  assert.equal(outcome.kind, "ok");
  installPlugins(outcome.settings, buildPlugins().directory);
  return { bin, net };
}

/** A root file system of busybox alone. */
export function makeRootfs(directory: string): string {
  for (const name of ["bin", "proc", "sys", "dev", "etc", "tmp", "run", "www"]) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  copyFileSync(findTool("busybox") ?? "", join(directory, "bin/busybox"));
  chmodSync(join(directory, "bin/busybox"), 0o755);
  for (const name of ["sh", "sleep"]) symlinkSync("busybox", join(directory, "bin", name));
  writeFileSync(join(directory, "www/index.html"), page);
  return directory;
}
