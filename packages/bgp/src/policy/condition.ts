import { type PolicyRoute } from "../export/policy.ts";

/** One thing that a match asks of a route. */
export interface Condition {
  /** `prefixes`, `asPath.pattern`. */
  readonly field: string;
  /** What the filter says there. */
  readonly wanted: string;
  readonly holds: (route: PolicyRoute) => boolean;
  /** What the route has, for people. */
  readonly found: (route: PolicyRoute) => string;
}
