import { type PathAttributes } from "../wire/path-attributes.ts";

const chosen = new WeakSet<PathAttributes>();

/** The same attributes, marked: their next hop goes to the peer as it is. */
export function withChosenNextHop(value: PathAttributes): PathAttributes {
  const marked = { ...value };
  chosen.add(marked);
  return marked;
}

/** Whether an export policy that gave these attributes has chosen their next hop, whatever the peer's own setting is. */
export function hasChosenNextHop(value: PathAttributes): boolean {
  return chosen.has(value);
}
