import { existsSync, readFileSync } from "node:fs";
import type { CniCall } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import type { NodeNameConfig } from "./network-config.ts";

/** The daemon's own node, and where it has written that name. */
export interface OwnNode {
  readonly node: string;
  readonly nodeNameFile: string | undefined;
}

/**
 * Calico's rules for `nodename` and its file. A daemon sets up pods of its own node alone, so a configuration for another one
 * is refused; a pod that is there can be deleted whatever the configuration says by now.
 */
export function checkNode(
  { command }: Pick<CniCall, "command">,
  { name, file, isFileOptional }: NodeNameConfig,
  own: OwnNode,
): void {
  const path = file ?? own.nodeNameFile;
  if (!isFileOptional && path !== undefined && command !== "CHECK" && !existsSync(path)) {
    // Calico's words: runtimes' logs are searched for them.
    const advice = "check that the calico/node container is running and has mounted /var/lib/calico/";
    throw new CniError(
      CniCode.tryAgainLater,
      `stat ${path}: no such file or directory: ${advice}`,
      "nodename_file_optional does without it",
    );
  }
  if (command !== "ADD") return;
  const wanted = name ?? (file === undefined ? undefined : readName(file));
  if (wanted === undefined || wanted === own.node) return;
  const shown = JSON.stringify(wanted.slice(0, 80));
  const details = "give both the same name: nodename here, NODENAME there";
  throw new CniError(
    CniCode.invalidConfig,
    `the configuration is for node ${shown}, and the daemon is node "${own.node}"`,
    details,
  );
}

function readName(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
