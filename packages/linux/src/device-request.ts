import type { DeviceOperation } from "@caracal/dataplane";
import {
  changeLink,
  deleteAddress,
  deleteLink,
  deleteNeighbour,
  newAddress,
  newLink,
  newNeighbour,
  type Request,
} from "@caracal/netlink";

/** An operation of the device port as the kernel is asked for it. */
export function deviceRequest(operation: DeviceOperation): Request {
  switch (operation.kind) {
    case "link.add":
      return newLink(operation.link);
    case "link.set":
      return changeLink(operation.index, operation.settings);
    case "link.delete":
      return deleteLink(operation.index);
    case "address.add":
      return newAddress(operation.address);
    case "address.delete":
      return deleteAddress(operation.address);
    case "neighbour.set":
      return newNeighbour(operation.neighbour);
    case "neighbour.delete":
      return deleteNeighbour(operation.neighbour);
  }
}
