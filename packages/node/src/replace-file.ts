import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Puts a file that only its owner reads in place in one step: whoever reads finds the old one or the new one, also after a
 * power cut. Throws what the file system says; then the old one stands.
 */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.new`;
  try {
    writeFileSync(temporary, text, { mode: 0o600, flush: true });
    renameSync(temporary, path);
    flushDirectory(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The same, while the thread goes on. Of one path, only one at a time. */
export async function replaceFileAside(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flush: true });
    await rename(temporary, path);
    await using directory = await open(dirname(path), "r");
    await directory.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function flushDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
