import { deviceCases } from "./device-cases.ts";
import { nextHopCases, throughObjects } from "./next-hop-cases.ts";
import { portCases } from "./port-cases.ts";
import { reconcilerCases } from "./reconciler-cases.ts";
import { tunnelCases } from "./tunnel-cases.ts";
import type { KernelCase } from "./subject.ts";

export { ipipSuite } from "./ipip-cases.ts";
export type { KernelCase, KernelSubject } from "./subject.ts";

/**
 * The compliance suite of the `Kernel` port. Every implementation's tests run all of it, one test and one fresh
 * namespace per case: `for (const { name, run } of kernelSuite) test(name, async () => run(await freshSubject()))`.
 */
export const kernelSuite: readonly KernelCase[] = [
  ...portCases,
  ...deviceCases,
  ...reconcilerCases,
  ...tunnelCases,
  ...nextHopCases,
  ...throughObjects([...portCases, ...reconcilerCases]),
];
