import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { NodeConfig } from "../config.ts";
import { StartUpError } from "./start-up-error.ts";

/** RFC 1123 §2.1, as Kubernetes has it: lower-case labels joined by dots. */
const namePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const nameCharactersMax = 253;

/**
 * The node's name: NODENAME, the file of an earlier start, HOSTNAME, then the host's own, lower case. It becomes part of keys,
 * so `StartUpError` for what is no name.
 */
export function findNodeName(
  config: Pick<NodeConfig, "nodeName" | "nodeNameFile">,
  environmentHostname: string | undefined,
): string {
  const name =
    config.nodeName ??
    readNodeNameFile(config.nodeNameFile) ??
    (environmentHostname === undefined || environmentHostname === ""
      ? hostname()
      : environmentHostname
    ).toLowerCase();
  if (namePattern.test(name) && name.length <= nameCharactersMax) return name;
  const shown = JSON.stringify(name.slice(0, nameCharactersMax));
  throw new StartUpError(
    `${shown} cannot be the node's name: set NODENAME to lower-case letters, digits, '-' and '.'`,
  );
}

function readNodeNameFile(path: string): string | undefined {
  try {
    const name = readFileSync(path, "utf8").trim();
    return name === "" ? undefined : name;
  } catch {
    return undefined;
  }
}
