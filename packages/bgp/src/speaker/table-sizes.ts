import { type AttributeTable } from "../rib/attribute-table.ts";
import { type Rib } from "../rib/rib.ts";

/** How much room a speaker's tables have taken: it does not shrink, and is used again. */
export interface TableSizes {
  readonly prefixes: number;
  /** Prefixes, routes and attribute sets that fit without growing. */
  readonly prefixRoom: number;
  readonly routeRoom: number;
  readonly attributeRoom: number;
  /** The buffer that attribute sets are kept in. */
  readonly attributeBytes: number;
  /** Connections that the driver may speak of. */
  readonly connections: number;
  readonly peers: number;
}

export function tableSizes(
  ribs: readonly Rib[],
  attributes: AttributeTable,
  counts: Pick<TableSizes, "connections" | "peers">,
): TableSizes {
  const sum = (of: (rib: Rib) => number): number => ribs.reduce((total, rib) => total + of(rib), 0);
  return {
    prefixes: sum(({ slots }) => slots.size),
    prefixRoom: sum(({ slots }) => slots.capacity),
    routeRoom: sum(({ rows }) => rows.capacity),
    attributeRoom: attributes.capacity,
    attributeBytes: attributes.capacityBytes,
    ...counts,
  };
}
