import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { spawnInNamespace } from "@caracal/linux";

/** What a runtime puts into a plugin's environment for each call; none of it has a space. */
export interface CallVariables {
  readonly CNI_COMMAND: string;
  readonly CNI_CONTAINERID: string;
  readonly CNI_NETNS: string;
  readonly CNI_ARGS: string;
}

/** What is the same for all calls. */
export interface LauncherOptions {
  /** Path of the namespace that plugins start in. */
  readonly namespace: string;
  readonly program: string;
  /** File that is a plugin's stdin. */
  readonly configuration: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** A line for each call, a line for each end. */
const script = `
  export CNI_COMMAND CNI_CONTAINERID CNI_NETNS CNI_ARGS
  while read -r id CNI_COMMAND CNI_CONTAINERID CNI_NETNS CNI_ARGS; do
    { "$0" <"$1" >/dev/null 2>&1; echo "$id $?"; } &
  done
  wait`;

/**
 * Starts plugins from a shell, whose forks cost next to nothing. Those of the benchmark's own process, with its many pages,
 * took as much processor time for each call as daemon, store and plugin together, and would be most of what is compared.
 */
export class Launcher implements AsyncDisposable {
  readonly #shell: ChildProcess;
  readonly #waiting = new Map<number, (status: number) => void>();
  #count = 0;

  constructor({ namespace, program, configuration, environment }: LauncherOptions) {
    this.#shell = spawnInNamespace(namespace, "/bin/sh", ["-c", script, program, configuration], {
      env: environment,
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (this.#shell.stdout === null) throw new Error("the shell has no output");
    createInterface({ input: this.#shell.stdout }).on("line", (line) => {
      const [id, status] = line.split(" ").map(Number);
      this.#waiting.get(id ?? -1)?.(status ?? -1);
      this.#waiting.delete(id ?? -1);
    });
  }

  /** Resolves with the plugin's exit status. */
  call(variables: CallVariables): Promise<number> {
    const { CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_ARGS } = variables;
    this.#count += 1;
    const words = [this.#count, CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_ARGS];
    return new Promise((resolve) => {
      this.#waiting.set(this.#count, resolve);
      this.#shell.stdin?.write(`${words.join(" ")}\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#shell, "exit");
    this.#shell.stdin?.end();
    await ended;
  }
}
