import type { RouteStatus } from "@caracal/dataplane";
import { routeText } from "@caracal/forwarding";
import type { IntentProblem } from "@caracal/intent";
import { Prefix } from "@caracal/net";

/** More than so many are counted, not told one by one: a thousand routes that fail do so for one reason. */
export const toldMax = 16;

/** What of a reconciler's status tells of them. */
export interface RouteTroubleSources extends Pick<RouteStatus, "conflicts"> {
  readonly failures: readonly { readonly key: string; readonly errno: string; readonly detail: string }[];
}

/** Wanted routes that are not in the kernel although they were tried, and what is in the way, a line each. */
export function routeTroubles(
  { failures, conflicts }: RouteTroubleSources,
  nameOf: (link: number) => string | undefined,
): readonly IntentProblem[] {
  // Most are only counted, so that a table full of them costs little.
  const troubles = [
    ...conflicts.slice(0, toldMax).map(({ wanted, alien }) => ({
      about: `route ${Prefix.format(wanted.destination)}`,
      message: `is not as it should be (${routeText(wanted, nameOf)}): somebody else's stands in its place (${routeText(alien, nameOf)}); remove that one`,
    })),
    ...failures.slice(0, toldMax).map(({ key, errno, detail }) => ({
      about: `route ${key.slice(0, key.indexOf(" "))}`,
      message: `is refused by the kernel: ${errno} ${detail}`,
    })),
  ].slice(0, toldMax);
  const left = conflicts.length + failures.length - troubles.length;
  return left === 0
    ? troubles
    : [...troubles, { about: "routes", message: `${left} more are not in the kernel` }];
}
