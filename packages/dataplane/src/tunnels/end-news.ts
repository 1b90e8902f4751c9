import { IpAddress } from "@caracal/net";
import { Af, Mac, type Neighbour } from "@caracal/netlink";
import type { DeviceOperation } from "../device-kernel.ts";

/** So many entries are named in one line, and the others counted. */
const namedMax = 3;

/** What was mended among the entries of remote ends, as one line; `undefined` if nothing was. */
export function endNews(operations: readonly DeviceOperation[]): string | undefined {
  const texts = operations.flatMap((operation) => {
    if (operation.kind !== "neighbour.set" && operation.kind !== "neighbour.delete") return [];
    return [
      `${entryText(operation.neighbour)} ${operation.kind === "neighbour.set" ? "put back" : "removed"}`,
    ];
  });
  if (texts.length === 0) return undefined;
  const more = texts.length > namedMax ? [`and ${texts.length - namedMax} more`] : [];
  return [...texts.slice(0, namedMax), ...more].join(", ");
}

function entryText({ family, address, mac }: Neighbour): string {
  const at = mac === undefined ? "" : Mac.format(mac);
  const where = address === undefined ? "" : IpAddress.format(address);
  return family === Af.AF_BRIDGE ? `forwarding entry ${at} to ${where}` : `neighbour ${where} at ${at}`;
}
