import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "@caracal/net";
import { CliError } from "../cli-error.ts";

/** How long one command of a collection may take, and how much it may say. */
const commandLimits = { timeout: 30_000, maxBuffer: 64 << 20 };

/** What a program said on both streams, and whether it ended well. */
export interface CommandResult {
  readonly isOk: boolean;
  readonly output: string;
}

/** Runs a program of this machine; one that is missing is a result too. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(program, args, { ...commandLimits, ...options }, (error, stdout, stderr) => {
      const why = error !== null && stdout === "" && stderr === "" ? messageOf(error) : "";
      resolve({ isOk: error === null, output: `${stdout}${stderr}${why}` });
    });
  });
}

/** A directory that is filled file by file and then packed into one archive beside it. */
export class Bundle {
  /** The temporary directory around it. */
  readonly path: string;
  readonly #contents: string;

  private constructor(path: string) {
    this.path = path;
    this.#contents = join(path, "diagnostics");
  }

  static async create(): Promise<Bundle> {
    const bundle = new Bundle(await mkdtemp(join(tmpdir(), "calico")));
    await mkdir(bundle.#contents);
    return bundle;
  }

  async add(name: string, text: string): Promise<void> {
    await writeFile(join(this.#contents, name), text);
  }

  /** Copies a directory of files as it is. */
  async copy(source: string, name: string): Promise<void> {
    await cp(source, join(this.#contents, name), { recursive: true });
  }

  /** The archive's path. */
  async pack(now: Date): Promise<string> {
    const stamp = now.toISOString().replaceAll(/[-:]/g, "").replace("T", "_").slice(0, 15);
    const name = `diags-${stamp}.tar.gz`;
    const { isOk, output } = await runProgram("tar", ["-zcf", name, "diagnostics"], { cwd: this.path });
    if (!isOk) throw new CliError(`Error compressing the diagnostics: ${output.trim()}`);
    return join(this.path, name);
  }
}
