import type { DeviceKernel } from "../device-kernel.ts";
import type { DesiredTunnel } from "../tunnels/desired-tunnel.ts";
import { type TunnelEvent, TunnelReconciler } from "../tunnels/tunnel-reconciler.ts";
import { type KernelSubject, same } from "./subject.ts";

/** A reconciler at work, and what it is seen by. */
export interface TunnelRun {
  readonly reconciler: TunnelReconciler;
  readonly events: readonly TunnelEvent[];
  /** Resolves when the reconciler has settled and the device shows as these lines. */
  readonly until: (lines: readonly string[]) => Promise<void>;
}

interface TunnelRunOptions {
  /** The device's name. */
  readonly name: string;
  readonly tunnels: readonly DesiredTunnel[];
  /** What the kernel has of the device, as short text. */
  readonly shownDevice: (subject: KernelSubject) => Promise<readonly string[]>;
  /** What the reconciler works on in place of the subject's kernel. */
  readonly kernel?: DeviceKernel | undefined;
}

/** Runs a reconciler of tunnels while `use` looks at it. */
export async function runTunnels(
  subject: KernelSubject,
  { name, tunnels, shownDevice, kernel = subject.kernel }: TunnelRunOptions,
  use: (run: TunnelRun) => Promise<void>,
): Promise<void> {
  const events: TunnelEvent[] = [];
  const reconciler = new TunnelReconciler({
    kernel,
    clock: subject.clock,
    owns: [name],
    limits: { retryMinMs: 2, retryMaxMs: 40 },
    onEvent: (event) => void events.push(event),
  });
  reconciler.start();
  reconciler.apply(tunnels);
  const until = async (lines: readonly string[]): Promise<void> => {
    let found: readonly string[] = [];
    const isThere = async (): Promise<boolean> => {
      found = await shownDevice(subject);
      return reconciler.status.settled && found.join("\n") === lines.join("\n");
    };
    try {
      await subject.until("the device", isThere);
    } catch (error) {
      same(found, lines, `the device, ${String(error)}`);
      throw error;
    }
  };
  try {
    await use({ reconciler, events, until });
  } finally {
    reconciler.stop();
  }
}
