import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BirdFile, birdFileNames, type BirdFiles } from "@caracal/confd";
import { messageOf } from "@caracal/net";

const execute = promisify(execFile);
const checkMs = 10_000;

/** The programs of both families. */
export interface BirdPrograms {
  readonly bird: string;
  readonly bird6: string;
}

export type PutOutcome =
  | { readonly kind: "ok"; readonly changed: readonly BirdFile[] }
  /** BIRD does not take the files, for this reason; what was there before is still there. */
  | { readonly kind: "refused"; readonly reason: string };

/** The directory of BIRD's configuration: what is in it has passed BIRD's own check. */
export class ConfigDirectory {
  readonly #path: string;
  readonly #programs: BirdPrograms;

  constructor(path: string, programs: BirdPrograms) {
    this.#path = path;
    this.#programs = programs;
  }

  file(name: BirdFile): string {
    return join(this.#path, name);
  }

  /** Replaces the files that differ, all or none. */
  async put(files: BirdFiles): Promise<PutOutcome> {
    const changed = birdFileNames.filter((name) => files[name] !== readText(this.file(name)));
    if (changed.length === 0) return { kind: "ok", changed };
    const trial = join(this.#path, ".trial");
    rmSync(trial, { recursive: true, force: true });
    mkdirSync(trial, { recursive: true });
    try {
      // Passwords are in them.
      for (const name of birdFileNames) writeFileSync(join(trial, name), files[name], { mode: 0o600 });
      const reason =
        (await refusal(this.#programs.bird, join(trial, "bird.cfg"))) ??
        (await refusal(this.#programs.bird6, join(trial, "bird6.cfg")));
      if (reason !== undefined) return { kind: "refused", reason };
      for (const name of changed) renameSync(join(trial, name), this.file(name));
      return { kind: "ok", changed };
    } finally {
      rmSync(trial, { recursive: true, force: true });
    }
  }
}

/** What BIRD has against a configuration. */
async function refusal(program: string, file: string): Promise<string | undefined> {
  try {
    await execute(program, ["-p", "-c", file], { timeout: checkMs });
    return undefined;
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    return said !== "" ? said.split("\n").join("; ") : messageOf(error);
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** The version that a BIRD says it is: `1.6.8`, or `v0.3.3+birdv1.6.8` for Calico's own. Throws when it cannot be run. */
export async function birdVersionOf(program: string): Promise<string> {
  const { stdout, stderr } = await execute(program, ["--version"], { timeout: checkMs });
  const [, version = ""] = /BIRD version (\S+)/.exec(`${stdout}${stderr}`) ?? [];
  return version;
}
