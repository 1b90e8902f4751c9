import { birdFiles } from "@caracal/confd";
import type { NodeIntent, SecretKey } from "@caracal/intent";
import { messageOf } from "@caracal/net";
import type { Log } from "../observe/log.ts";
import { askBird } from "./bird-conversation.ts";
import { type BirdPeer, birdPeers } from "./bird-peers.ts";
import { BirdProcess } from "./bird-process.ts";
import { type BirdPrograms, birdVersionOf, ConfigDirectory } from "./config-directory.ts";
import { birdRunFiles } from "./left-birds.ts";

/** How often BIRD is asked about its sessions; it looks at the kernel as often. */
const askMs = 2_000;
/** What failed is tried again after so long, also when nothing changes. */
const retryMs = 10_000;

export interface BirdBackendOptions {
  readonly programs: BirdPrograms;
  /** Where the configuration goes. */
  readonly configDir: string;
  /** Where the sockets are. */
  readonly runDir: string;
  readonly interfacePrefixes: readonly string[];
  readonly passwordOf: (secret: SecretKey) => string | undefined;
  readonly log: Log;
  /** What BIRD can do is known from now on. */
  readonly onAbilities?: () => void;
}

/**
 * A stock BIRD 1.6 in the place of our speaker: configured by files from the node's intent, which it reads again whenever they
 * change. Kernel routes are BIRD's, and stay when it stops.
 */
export class BirdBackend {
  readonly #options: BirdBackendOptions;
  readonly #directory: ConfigDirectory;
  readonly #birds: Readonly<Record<"bird" | "bird6", BirdProcess>>;
  #wanted: NodeIntent | undefined;
  #applied: NodeIntent | undefined;
  #hasTunnels: boolean | undefined;
  #failure: string | undefined;
  #peers: readonly BirdPeer[] = [];
  #turn: Promise<void> = Promise.resolve();
  #isScheduled = false;
  #isAsking = false;
  #isStopped = false;
  #asking: NodeJS.Timeout;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: BirdBackendOptions) {
    this.#options = options;
    const { programs, configDir, runDir, log } = options;
    this.#directory = new ConfigDirectory(configDir, programs);
    const open = (name: "bird" | "bird6"): BirdProcess =>
      new BirdProcess({
        name,
        program: programs[name],
        configFile: this.#directory.file(`${name}.cfg`),
        ...birdRunFiles(runDir, name),
        log,
      });
    this.#birds = { bird: open("bird"), bird6: open("bird6") };
    this.#asking = setInterval(() => void this.#ask(), askMs).unref();
  }

  /** Takes over what the node should do; many calls in a row make one configuration. */
  apply(intent: NodeIntent): void {
    this.#wanted = intent;
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#turn = this.#turn
      .then(() => {
        this.#isScheduled = false;
        return this.#converge();
      })
      .catch((error: unknown) => this.#fail(messageOf(error)));
  }

  /** The sessions that the intent asks for, as BIRD last told of them. */
  peers(): readonly BirdPeer[] {
    return this.#peers;
  }

  /** Why BIRD does not do what the intent asks. */
  get failure(): string | undefined {
    return this.#failure ?? this.#birds.bird.failure ?? this.#birds.bird6.failure;
  }

  /** Whether it can send packets through `tunl0`, as Calico's own BIRD can; undefined while that is not known. */
  get hasTunnels(): boolean | undefined {
    return this.#hasTunnels;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#asking);
    clearTimeout(this.#retry);
    await this.#turn;
    await Promise.all([this.#birds.bird.kill(), this.#birds.bird6.kill()]);
  }

  async #converge(): Promise<void> {
    const intent = this.#wanted;
    if (intent === undefined || this.#isStopped) return;
    const { interfacePrefixes, passwordOf, log } = this.#options;
    const hasTunnels = this.#hasTunnels ?? (await this.#findTunnels());
    if (this.#hasTunnels === undefined) {
      this.#hasTunnels = hasTunnels;
      this.#options.onAbilities?.();
    }
    const files = birdFiles(intent, { hasTunnels, interfacePrefixes, passwordOf });
    if (files === undefined) {
      await Promise.all([this.#birds.bird.kill(), this.#birds.bird6.kill()]);
      this.#applied = undefined;
      this.#peers = [];
      return;
    }
    const outcome = await this.#directory.put(files);
    if (outcome.kind === "refused") {
      this.#fail(`BIRD refuses its configuration: ${outcome.reason}`);
      return;
    }
    const isFirst = this.#applied === undefined;
    this.#failure = undefined;
    this.#applied = intent;
    for (const name of ["bird", "bird6"] as const) {
      const hasChanged = outcome.changed.some(
        (file) => file.startsWith(`${name}.`) || file.startsWith(`${name}_`),
      );
      if (isFirst || hasChanged) this.#birds[name].configure();
    }
    if (outcome.changed.length > 0) log.info({ files: outcome.changed }, "BIRD's configuration changed");
    void this.#ask();
  }

  async #findTunnels(): Promise<boolean> {
    const { bird } = this.#options.programs;
    const version = await birdVersionOf(bird);
    if (!/(^|v)1\.6\./.test(version))
      throw new Error(
        `${bird} is BIRD ${version}, and 1.6 is needed: name one in CARACAL_BIRD and CARACAL_BIRD6`,
      );
    return version.includes("+birdv");
  }

  #fail(reason: string): void {
    if (reason !== this.#failure) this.#options.log.error({ reason, retryMs }, "BIRD cannot be configured");
    this.#failure = reason;
    clearTimeout(this.#retry);
    if (this.#isStopped) return;
    this.#retry = setTimeout(() => {
      if (this.#wanted !== undefined) this.apply(this.#wanted);
    }, retryMs);
  }

  async #ask(): Promise<void> {
    const intent = this.#applied;
    if (intent?.bgp === undefined || this.#isAsking || this.#isStopped) return;
    this.#isAsking = true;
    const lines: string[] = [];
    for (const name of ["bird", "bird6"] as const) {
      const { socket } = birdRunFiles(this.#options.runDir, name);
      // One that does not answer has no session up.
      lines.push(...(await askBird(socket, "show protocols all").catch(() => [])));
    }
    const nowS = Math.floor(Date.now() / 1000);
    this.#peers = birdPeers(intent.bgp.peers, lines, { before: this.#peers, nowS });
    this.#isAsking = false;
  }
}
