import type { LinkSettings, Neighbour, NeighbourTable, NewInterfaceAddress, NewLink } from "@caracal/netlink";
import type { Kernel, RouteOutcome } from "./kernel.ts";

/** One change to interfaces, their addresses, or the tables of neighbours. */
export type DeviceOperation =
  /** Fails with EEXIST when the name, or what tells two tunnels of a kind apart, is taken. */
  | { readonly kind: "link.add"; readonly link: NewLink }
  | { readonly kind: "link.set"; readonly index: number; readonly settings: LinkSettings }
  | { readonly kind: "link.delete"; readonly index: number }
  | { readonly kind: "address.add" | "address.delete"; readonly address: NewInterfaceAddress }
  /**
   * Takes the place of the entry of the same interface and address; of the family AF_BRIDGE, which are forwarding entries,
   * that of the same interface and MAC.
   */
  | { readonly kind: "neighbour.set"; readonly neighbour: Neighbour }
  | { readonly kind: "neighbour.delete"; readonly neighbour: Neighbour };

/** What became of one operation. */
export type DeviceOutcome = RouteOutcome;

/**
 * Interfaces, addresses and neighbours of one network namespace. What `Kernel` promises of its operations and dumps holds here
 * too. Whether changes of neighbours are told is for the implementation: there may be very many that concern nobody.
 */
export interface DeviceKernel extends Pick<Kernel, "dumpLinks" | "dumpAddresses" | "subscribe"> {
  /** Entries of a table, of one interface if named. */
  dumpNeighbours(table?: NeighbourTable, interfaceIndex?: number): Promise<readonly Neighbour[]>;
  /** Carries all of them out in order; one that fails does not stop the rest. Outcomes are in the same order. */
  applyDevices(operations: readonly DeviceOperation[]): Promise<readonly DeviceOutcome[]>;
}
