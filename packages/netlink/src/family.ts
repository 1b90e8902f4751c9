import type { IpFamily } from "@caracal/net";
import { Af } from "./constants.ts";

/** The kernel's number of an IP family. */
export function familyNumber(family: IpFamily): number {
  return family === 4 ? Af.AF_INET : Af.AF_INET6;
}

/** The IP family of a kernel number, or `undefined` for any other family. */
export function ipFamily(number: number): IpFamily | undefined {
  if (number === Af.AF_INET) return 4;
  return number === Af.AF_INET6 ? 6 : undefined;
}
