import { once } from "node:events";
import { messageOf } from "@caracal/net";
import { jsonLog, type LogLevel } from "./log.ts";
import { openRecording, type Recording } from "./open-recording.ts";
import type { SpeakerDaemon } from "./speaker-daemon.ts";

export interface RunSpeakerOptions {
  /** Path of the configuration file. */
  readonly file: string;
  /** Path of a file for a recording; absent: none. */
  readonly record?: string;
  /** Lines of the log, one JSON object each. */
  readonly stdout: { write(text: string): unknown };
  /** Why it cannot start. */
  readonly stderr: { write(text: string): unknown };
  readonly logLevel: LogLevel;
  /** Ends the speaker when it aborts. */
  readonly signal: AbortSignal;
  /** Calls `reload` whenever the file is to be read again; returns how to end that. */
  readonly onReload: (reload: () => void) => () => void;
}

/** Runs a speaker until it is told to stop. The result is the exit code. */
export async function runSpeaker(options: RunSpeakerOptions): Promise<number> {
  const { file, stdout, stderr, signal } = options;
  const log = jsonLog((text) => stdout.write(text), options.logLevel);
  // Loaded only by who runs one: checking a file needs none of it.
  const { SpeakerDaemon: Daemon, SpeakerStartError } = await import("./speaker-daemon.ts");
  let recording: Recording | undefined;
  try {
    recording = options.record === undefined ? undefined : openRecording(options.record, log);
  } catch (error) {
    stderr.write(`cannot record: ${messageOf(error)}\n`);
    return 1;
  }
  let daemon: SpeakerDaemon;
  try {
    const onRecord = recording === undefined ? {} : { onRecord: recording.write };
    daemon = await Daemon.start({ file, log, ...onRecord });
  } catch (error) {
    recording?.close();
    if (!(error instanceof SpeakerStartError)) throw error;
    stderr.write(`${error.message}\n`);
    return 1;
  }
  const endReloads = options.onReload(() => {
    daemon.reload().catch((error: unknown) => log("error", "reload failed", { reason: String(error) }));
  });
  try {
    if (!signal.aborted) await Promise.race([once(signal, "abort"), daemon.leaving]);
    return 0;
  } finally {
    endReloads();
    await daemon.stop();
    recording?.close();
  }
}
