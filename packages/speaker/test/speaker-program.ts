import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { controlRequest } from "@caracal/control";
import { type CommandResult, eventually, type Namespace, type Program, type Testbed } from "@caracal/testbed";

const launcher = fileURLToPath(new URL("../../../caracal", import.meta.url));

/** A running `caracal bgp run` in a namespace. */
export class SpeakerProgram {
  readonly #namespace: Namespace;
  readonly #file: string;
  #program: Program;

  private constructor(namespace: Namespace, file: string, program: Program) {
    this.#namespace = namespace;
    this.#file = file;
    this.#program = program;
  }

  /** Starts with a configuration to which the control socket is added; resolves when that answers. */
  static async start(bed: Testbed, namespace: Namespace, config: string): Promise<SpeakerProgram> {
    const file = join(bed.directory("speaker"), "bgp.yaml");
    const speaker = new SpeakerProgram(namespace, file, await launch(namespace, file, config));
    await speaker.#answers();
    return speaker;
  }

  get program(): Program {
    return this.#program;
  }

  /** Writes another configuration, without telling the speaker. */
  write(config: string): void {
    writeConfig(this.#file, config);
  }

  /** `caracal bgp ARGUMENTS…` about this speaker, whatever the exit code. */
  bgp(...args: readonly string[]): Promise<CommandResult> {
    return this.#namespace.runAnyway([launcher, "bgp", ...args, "--control", controlOf(this.#file)]);
  }

  /** `caracal bgp show ARGUMENTS… -o json`, parsed. */
  async show(...args: readonly string[]): Promise<unknown> {
    const { exitCode, stdout, stderr } = await this.bgp("show", ...args, "-o", "json");
    if (exitCode !== 0) throw new Error(stderr);
    const value: unknown = JSON.parse(stdout);
    return value;
  }

  /** A request to the control socket: what `show` asks for too, without a process for each look. */
  ask(method: string, params: unknown = {}): Promise<unknown> {
    return controlRequest(controlOf(this.#file), method, params);
  }

  /** Ends it by a signal and starts it again with the same file. */
  async restart(signal: NodeJS.Signals, config: string): Promise<void> {
    this.#program.signal(signal);
    await this.#program.exited;
    await this.revive(config);
  }

  /** Starts it again after its end. */
  async revive(config: string): Promise<void> {
    this.#program = await launch(this.#namespace, this.#file, config);
    await this.#answers();
  }

  async #answers(): Promise<void> {
    await eventually(async () => !this.#program.isRunning || (await this.ask("bgp.memory")) !== undefined, {
      what: "an answer of the speaker",
    });
    if (!this.#program.isRunning) throw new Error(`the speaker ended at once:\n${this.#program.output}`);
  }
}

function launch(namespace: Namespace, file: string, config: string): Promise<Program> {
  writeConfig(file, config);
  return namespace.start([launcher, "bgp", "run", "--config", file]);
}

function writeConfig(file: string, config: string): void {
  writeFileSync(file, `control: ${controlOf(file)}\n${config}`);
}

function controlOf(file: string): string {
  return `${file}.sock`;
}
