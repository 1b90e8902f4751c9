import { Prefix } from "@caracal/net";
import { Origin } from "../iana.ts";
import { type AttributeTable } from "../rib/attribute-table.ts";
import { type Rib } from "../rib/rib.ts";
import { type Millis } from "../session/session-config.ts";
import { prefixWords } from "../wire/nlri.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { type LocalRoute } from "./speaker-events.ts";

/** The speaker itself as the source of a route. */
const self = 0;

/** The routes of this speaker's own, changed by difference. */
export class LocalRoutes {
  readonly #attributes: AttributeTable;
  #prefixes = new Map<string, Prefix>();

  constructor(attributes: AttributeTable) {
    this.#attributes = attributes;
  }

  /** Makes these, and no others, the local routes. A prefix named twice has the last one's attributes. */
  replace(routes: readonly LocalRoute[], rib: (prefix: Prefix) => Rib, now: Millis): void {
    const next = new Map(routes.map((route) => [Prefix.key(route.prefix), route] as const));
    for (const [key, prefix] of this.#prefixes) {
      if (next.has(key)) continue;
      const table = rib(prefix);
      const row = table.find(table.slots.find(prefixWords(prefix)), self, 0);
      if (row !== 0) table.remove(row);
    }
    for (const route of next.values()) this.#put(route, rib(route.prefix), now);
    this.#prefixes = new Map([...next].map(([key, route]) => [key, route.prefix]));
  }

  #put(route: LocalRoute, rib: Rib, now: Millis): void {
    const id = this.#attributes.intern(localAttributes(route));
    const row = rib.take(prefixWords(route.prefix), self, 0);
    if (rib.rows.accepted(row) === id) return;
    rib.setReceived(row, id, Math.floor(now / 1000));
    rib.setAccepted(row, id);
    rib.markDirty(rib.rows.slot(row));
  }
}

function localAttributes({ prefix: _prefix, ...rest }: LocalRoute): PathAttributes {
  return { origin: Origin.igp, asPath: [], ...rest };
}
