import { type Prefix } from "@caracal/net";
import { type PathAttributes } from "../wire/path-attributes.ts";

/** Where a route came from, as a policy sees it. */
export type RouteSource =
  | { readonly kind: "local" }
  | { readonly kind: "peer"; readonly name: string; readonly external: boolean };

export interface PolicyRoute {
  readonly prefix: Prefix;
  /** Never change it: return another. */
  readonly attributes: PathAttributes;
  readonly source: RouteSource;
}

/**
 * Decides about one route: its attributes as they are or others to accept it, `undefined` to refuse it. Pure: the same
 * route always gets the same answer.
 */
export type Policy = (route: PolicyRoute) => PathAttributes | undefined;

/** Policies by the name that peers' configurations use. */
export type Policies = ReadonlyMap<string, Policy>;
