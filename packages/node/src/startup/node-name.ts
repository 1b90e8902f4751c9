import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { NodeConfig } from "../config.ts";

/** The node's name: NODENAME, the file of an earlier start, HOSTNAME, then the host's own, lower case. */
export function findNodeName(config: NodeConfig, environmentHostname: string | undefined): string {
  return (
    config.nodeName ??
    readNodeNameFile(config.nodeNameFile) ??
    (environmentHostname === undefined || environmentHostname === ""
      ? hostname()
      : environmentHostname
    ).toLowerCase()
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
