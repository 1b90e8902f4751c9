import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "@caracal/net";
import { StartUpError } from "./start-up-error.ts";

/** Least MTU of an IPv4 link (RFC 791 §3.2). */
const leastMtu = 68;

/** Writes the node's name for CNI and for the next start. */
export function writeNodeName(path: string, node: string): void {
  writeWhole(path, node);
}

/** Writes the MTU that new pods shall have. */
export function writeMtu(path: string, mtu: number): void {
  writeWhole(path, String(mtu));
}

/** Whole or not at all: a reader never sees half a name. Nothing is written where it stands already: a full disk stops no restart. */
function writeWhole(path: string, text: string): void {
  if (readText(path) === text) return;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  } catch (cause) {
    // A full disk's own error does not say which file it was about.
    const reason = messageOf(cause);
    throw new StartUpError(`${path} cannot be written: ${reason}`, { cause });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The MTU that pods shall have, from the file `mtu`; undefined when it is not there or is no MTU. */
export function readMtu(path: string): number | undefined {
  try {
    const mtu = Number(readFileSync(path, "utf8").trim());
    return Number.isInteger(mtu) && mtu >= leastMtu ? mtu : undefined;
  } catch {
    return undefined;
  }
}
