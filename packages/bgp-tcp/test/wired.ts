import type { TestContext } from "node:test";
import { eventually, type Namespace, Testbed } from "@caracal/testbed";
import type { SpeakerState } from "./speaker-process.ts";
import type { RunningSpeaker } from "./start-speaker.ts";

/** Two namespaces. */
export interface Rig {
  readonly bed: Testbed;
  readonly ours: Namespace;
  readonly theirs: Namespace;
}

/** On one wire: ours is 10.0.0.1 and fd00::1, theirs 10.0.0.2 and fd00::2. */
export async function wired(t: TestContext): Promise<Rig> {
  const bed = Testbed.create(t);
  const [ours, theirs] = [await bed.namespace("ours"), await bed.namespace("theirs")];
  await bed.wire(
    { namespace: ours, name: "eth0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
    { namespace: theirs, name: "eth0", addresses: ["10.0.0.2/24", "fd00::2/64"] },
  );
  return { bed, ours, theirs };
}

/** Waits until `look` holds for our state, which it returns. */
export function seen(
  speaker: RunningSpeaker,
  what: string,
  look: (state: SpeakerState) => boolean,
): Promise<SpeakerState> {
  let last: SpeakerState | undefined;
  return eventually(
    async () => {
      last = await speaker.state();
      return look(last) ? last : undefined;
    },
    { what },
  ).catch((error: unknown) => {
    throw new Error(
      `${String(error)}\nour state: ${JSON.stringify(last, undefined, 1)}\n${speaker.program.output}`,
    );
  });
}
