/** What passes an interface of a lab's node, switch or pod, as tcpdump tells it: a line for each packet, with its MACs. */
import { eventually, Program } from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";

/** Where to look, and for what. */
export interface Tap {
  readonly place: string;
  readonly device: string;
  /** As tcpdump has it. */
  readonly filter: string;
}

const packetDeadlineMs = 10_000;

/** Runs `during` with all taps open, and until they have seen `count` packets; gives the lines of each. */
export async function capture(
  lab: LabDirectory,
  taps: readonly Tap[],
  during: () => Promise<void>,
  /** Where nothing shall pass none is waited for. */
  count: number,
): Promise<readonly (readonly string[])[]> {
  const programs = await Promise.all(
    taps.map(({ place, device, filter }) => {
      const words = ["tcpdump", "-n", "-e", "-l", "--immediate-mode", "-i", device, filter];
      return Program.start(["ip", "netns", "exec", lab.namespaceName(place), ...words]);
    }),
  );
  const lines = () =>
    programs.map(({ output }) => output.split("\n").filter((line) => /^[0-9:.]+ /.test(line)));
  try {
    await Promise.all(programs.map((program) => program.waitForOutput(/listening on/)));
    await during();
    await eventually(() => lines().every((some) => some.length >= count), {
      deadlineMs: packetDeadlineMs,
      what: `${count} packets everywhere`,
    }).catch(() => undefined);
    return lines();
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
  }
}
