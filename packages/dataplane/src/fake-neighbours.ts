import { IpAddress } from "@caracal/net";
import { Af, type Neighbour, type NeighbourTable, NeighbourState } from "@caracal/netlink";
import type { DeviceOutcome } from "./device-kernel.ts";

const done: DeviceOutcome = { kind: "done" };

/** Neighbours and forwarding entries of a kernel in memory. */
export class FakeNeighbours {
  readonly #entries: Neighbour[] = [];

  dump(table: NeighbourTable, interfaceIndex: number | undefined): readonly Neighbour[] {
    return this.#entries.filter(
      (entry) =>
        (table === "forwarding" ? isForwarding(entry) : table === "neighbours" && !isForwarding(entry)) &&
        (interfaceIndex === undefined || entry.interfaceIndex === interfaceIndex),
    );
  }

  set(entry: Neighbour): DeviceOutcome {
    const at = this.#entries.findIndex((known) => isSamePlace(known, entry));
    this.#entries.splice(at < 0 ? this.#entries.length : at, at < 0 ? 0 : 1, stored(entry));
    return done;
  }

  delete(entry: Neighbour): DeviceOutcome {
    const at = this.#entries.findIndex((known) => isSameEntry(known, entry));
    if (at < 0) return { kind: "failed", errno: "ENOENT", detail: "No such file or directory" };
    this.#entries.splice(at, 1);
    return done;
  }

  /** An interface went away. */
  flush(interfaceIndex: number): void {
    const kept = this.#entries.filter((entry) => entry.interfaceIndex !== interfaceIndex);
    this.#entries.splice(0, this.#entries.length, ...kept);
  }

  /** An interface went down: forwarding entries that are permanent stay. */
  settle(interfaceIndex: number): void {
    const kept = this.#entries.filter(
      (entry) =>
        entry.interfaceIndex !== interfaceIndex ||
        (isForwarding(entry) && (entry.state & NeighbourState.NUD_PERMANENT) !== 0),
    );
    this.#entries.splice(0, this.#entries.length, ...kept);
  }
}

function isForwarding({ family }: Neighbour): boolean {
  return family === Af.AF_BRIDGE;
}

function isSamePlace(a: Neighbour, b: Neighbour): boolean {
  if (a.interfaceIndex !== b.interfaceIndex || a.family !== b.family) return false;
  return isForwarding(a) ? a.mac === b.mac : a.address === b.address;
}

function isSameEntry(a: Neighbour, b: Neighbour): boolean {
  return isSamePlace(a, b) && a.address === b.address;
}

function stored(entry: Neighbour): Neighbour {
  if (entry.address !== undefined && !isForwarding(entry))
    return { ...entry, family: IpAddress.isIpv4(entry.address) ? Af.AF_INET : Af.AF_INET6 };
  return entry;
}
