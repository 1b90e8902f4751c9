import type { FelixSettings } from "@caracal/intent";
import { KernelError, readSysctl, writeSysctl } from "@caracal/linux";
import type { IpFamily } from "@caracal/net";
import type { Log } from "../observe/log.ts";
import { RepeatLimit } from "../observe/repeat-limit.ts";
import {
  forwardingSettings,
  hostWideSettings,
  type KernelSetting,
  podInterfaceSettings,
} from "./wanted-settings.ts";

export interface HostSettingsOptions {
  readonly settings: () => FelixSettings;
  readonly pods: () => ReadonlyMap<string, ReadonlySet<IpFamily>>;
  /** Interfaces that lead to other nodes, and tunnels' devices. */
  readonly ways?: () => ReadonlyMap<string, ReadonlySet<IpFamily>>;
  readonly log: Log;
  /** The thread's own namespace if absent. */
  readonly namespace?: string;
}

/** How often settings are looked at: the kernel tells of few of them by itself. */
const everyMs = 1000;
/** So many pods' interfaces at a time, so that a host full of pods costs no more than an emptier one. */
const interfacesPerLook = 16;
/** Somebody who changes a setting again and again is told of so often. */
const lineEveryMs = 60_000;

/** Puts back the kernel's settings that forwarding to pods depends on, whoever changed them, and says so. */
export class HostSettings implements Disposable {
  readonly #options: HostSettingsOptions;
  readonly #lines = new RepeatLimit(lineEveryMs, Date.now);
  readonly #timer: NodeJS.Timeout;
  readonly #rpFilter: number;
  #next = 0;

  constructor(options: HostSettingsOptions) {
    this.#options = options;
    // What new interfaces get is what somebody chose for them all.
    this.#rpFilter = Number(this.#read("net/ipv4/conf/default/rp_filter") ?? "1");
    this.#timer = setInterval(() => this.look(), everyMs);
    this.#timer.unref();
  }

  /** Looks at the host's settings and at those of the interfaces whose turn it is. */
  look(): void {
    const { settings, pods, ways } = this.#options;
    for (const setting of hostWideSettings(settings())) this.#keep(setting);
    for (const [name, families] of ways?.() ?? [])
      for (const setting of forwardingSettings(name, families, settings())) this.#keep(setting);
    const all = [...pods()];
    const from = this.#next < all.length ? this.#next : 0;
    this.#next = from + interfacesPerLook;
    for (const [name, families] of all.slice(from, this.#next)) {
      for (const setting of podInterfaceSettings(name, families, this.#rpFilter)) this.#keep(setting);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #keep({ path, value: wanted }: KernelSetting): void {
    const found = this.#read(path);
    // An interface that is gone, or a kernel without IPv6.
    if (found === undefined || found === String(wanted)) return;
    const setting = path.replaceAll("/", ".");
    try {
      writeSysctl(path, wanted, this.#options.namespace);
    } catch (error) {
      const detail = error instanceof KernelError ? error.detail : String(error);
      this.#tell(path, "error", { setting, found, wanted, detail }, "a setting cannot be put back");
      return;
    }
    this.#tell(
      path,
      "warn",
      { setting, found, wanted },
      "somebody changed a setting that pods need: put back",
    );
  }

  #tell(path: string, level: "warn" | "error", fields: object, message: string): void {
    const heldBack = this.#lines.admit(`${level} ${path}`);
    if (heldBack !== undefined)
      this.#options.log[level](heldBack === 0 ? fields : { ...fields, heldBack }, message);
  }

  #read(path: string): string | undefined {
    try {
      return readSysctl(path, this.#options.namespace);
    } catch {
      return undefined;
    }
  }
}
