import { connect } from "node:net";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Namespace, type Program, type Testbed, eventually } from "@caracal/testbed";
import { type OriginFile, type PeerFile, type SpeakerFile, type SpeakerState } from "./speaker-process.ts";

/** A speaker in a namespace, as a test sees it. */
export interface RunningSpeaker {
  readonly program: Program;
  readonly state: () => Promise<SpeakerState>;
  readonly setOrigins: (origins: readonly OriginFile[]) => Promise<void>;
  readonly setPeers: (peers: readonly PeerFile[]) => Promise<void>;
  readonly stop: (graceful: boolean) => Promise<void>;
}

/** Starts a speaker in a namespace; resolves when it answers. */
export async function startSpeaker(
  bed: Testbed,
  namespace: Namespace,
  file: SpeakerFile,
): Promise<RunningSpeaker> {
  const directory = bed.directory("speaker");
  const [config, socket] = [join(directory, "config.json"), join(directory, "control.sock")];
  writeFileSync(config, JSON.stringify(file));
  const script = new URL("speaker-process.ts", import.meta.url).pathname;
  const program = await namespace.start([process.execPath, script, config, socket]);
  const ask = (request: unknown): Promise<SpeakerState> => askOnce(socket, request);
  await eventually(() => ask("state"), { what: `an answer of the speaker (${program.output})` });
  return {
    program,
    state: () => ask("state"),
    setOrigins: async (origins) => void (await ask({ origins })),
    setPeers: async (peers) => void (await ask({ peers })),
    stop: async (graceful) => {
      await ask({ stop: graceful });
      await program.exited;
    },
  };
}

async function askOnce(path: string, request: unknown): Promise<SpeakerState> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    socket.write(`${JSON.stringify(request)}\n`);
    const [line] = await once(createInterface({ input: socket }), "line");
    // oxlint-disable-next-line typescript/no-unsafe-assignment -- written by speaker-process.ts
    const state: SpeakerState = JSON.parse(String(line));
    return state;
  } finally {
    socket.destroy();
  }
}
