import { closeSync, openSync, writeSync } from "node:fs";
import type { Log } from "./log.ts";

/** A file that takes the lines of a recording. */
export interface Recording {
  readonly write: (line: string) => void;
  readonly close: () => void;
}

/**
 * Opens a file for a recording, after what is in it already. Each line is in the file when `write` returns, so a crash
 * leaves all that led to it. When the disk takes no more, that is told once, and the rest is not recorded.
 */
export function openRecording(path: string, log: Log): Recording {
  let fd: number | undefined = openSync(path, "a", 0o600);
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    write: (line) => {
      if (fd === undefined) return;
      try {
        writeSync(fd, `${line}\n`);
      } catch (error) {
        log("error", "recording ended", { file: path, reason: String(error) });
        close();
      }
    },
    close,
  };
}
