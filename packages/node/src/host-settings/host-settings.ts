import type { FelixSettings } from "@caracal/intent";
import { KernelError, Monitor, readSysctl, Rtnetlink, writeSysctl } from "@caracal/linux";
import { IpAddress, type IpFamily } from "@caracal/net";
import type { Change } from "@caracal/netlink";
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

/** How often settings are looked at: the kernel tells of some of them only. */
const everyMs = 1000;
/** What the kernel tells of is looked at right away, but no more often than this, as others may undo it as fast. */
const noticePauseMs = 20;
/** So many pods' interfaces at a time, so that a host full of pods costs no more than an emptier one. */
const interfacesPerLook = 16;
/** Somebody who changes a setting again and again is told of so often. */
const lineEveryMs = 60_000;

/** Puts back the kernel's settings that forwarding to pods depends on, whoever changed them, and says so. */
export class HostSettings implements Disposable {
  readonly #options: HostSettingsOptions;
  readonly #lines = new RepeatLimit(lineEveryMs, Date.now);
  readonly #timer: NodeJS.Timeout;
  readonly #tables: Rtnetlink;
  readonly #monitor: Monitor;
  readonly #rpFilter: number;
  #next = 0;
  #ways: ReadonlyMap<string, ReadonlySet<IpFamily>> = new Map();
  /** Interfaces of which the kernel told since the last look at them. */
  #changed = new Set<number>();
  /** Somebody changed a setting, of an interface or of the host, since then. */
  #isSettingChanged = false;
  #noticeTimer: NodeJS.Timeout | undefined;
  #noticedAtMs = 0;

  constructor(options: HostSettingsOptions) {
    this.#options = options;
    // What new interfaces get is what somebody chose for them all.
    this.#rpFilter = Number(this.#read("net/ipv4/conf/default/rp_filter") ?? "1");
    const { namespace } = options;
    this.#tables = Rtnetlink.open(namespace);
    this.#monitor = Monitor.open({
      topics: ["settings", "addresses"],
      ...(namespace === undefined ? {} : { namespace }),
      onChanges: (changes) => this.#hear(changes),
      onOverrun: () => this.look(),
    });
    this.#timer = setInterval(() => this.look(), everyMs);
    this.#timer.unref();
  }

  /** Looks at the host's settings and at those of the interfaces whose turn it is. */
  look(): void {
    const { pods, ways } = this.#options;
    if (ways !== undefined) this.#ways = ways();
    this.#lookAtHost();
    const all = [...pods()];
    const from = this.#next < all.length ? this.#next : 0;
    this.#next = from + interfacesPerLook;
    for (const [name, families] of all.slice(from, this.#next)) this.#lookAtPod(name, families);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    clearTimeout(this.#noticeTimer);
    this.#monitor.close();
    this.#tables.close();
  }

  #hear(changes: readonly Change[]): void {
    let waitMs = Infinity;
    for (const change of changes) {
      const index = interfaceOf(change);
      if (change.kind === "settings" && change.gone && index !== undefined) this.#changed.delete(index);
      const mostMs = noticeWaitMs(change);
      if (mostMs === undefined) continue;
      if (index !== undefined) this.#changed.add(index);
      if (change.kind === "settings") this.#isSettingChanged = true;
      waitMs = Math.min(waitMs, mostMs);
    }
    if (waitMs === Infinity || this.#noticeTimer !== undefined) return;
    waitMs = Math.max(waitMs, this.#noticedAtMs + noticePauseMs - performance.now());
    if (waitMs <= 0) this.#lookAtChanged();
    else this.#noticeTimer = setTimeout(() => this.#lookAtChanged(), waitMs).unref();
  }

  #lookAtChanged(): void {
    this.#noticeTimer = undefined;
    // The addresses were those of interfaces that have gone since.
    if (!this.#isSettingChanged && this.#changed.size === 0) return;
    this.#isSettingChanged = false;
    this.#noticedAtMs = performance.now();
    // First, as what holds for the host sets it for each interface too.
    this.#lookAtHost();
    const pods = this.#options.pods();
    const changed = this.#changed;
    this.#changed = new Set();
    for (const index of changed) {
      const name = this.#nameOf(index);
      const families = name === undefined ? undefined : pods.get(name);
      if (name !== undefined && families !== undefined) this.#lookAtPod(name, families);
    }
  }

  #lookAtHost(): void {
    const settings = this.#options.settings();
    for (const setting of hostWideSettings(settings)) this.#keep(setting);
    for (const [name, families] of this.#ways)
      for (const setting of forwardingSettings(name, families, settings)) this.#keep(setting);
  }

  #nameOf(interfaceIndex: number): string | undefined {
    try {
      return this.#tables.link(interfaceIndex)?.name;
    } catch {
      // The next look finds what this one does not.
      return undefined;
    }
  }

  #lookAtPod(name: string, families: ReadonlySet<IpFamily>): void {
    for (const setting of podInterfaceSettings(name, families, this.#rpFilter)) this.#keep(setting);
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

function interfaceOf(change: Change): number | undefined {
  if (change.kind === "settings") return change.settings.interfaceIndex;
  return change.kind === "address" ? change.address.interfaceIndex : undefined;
}

/**
 * How long a change may wait for what else is told; `undefined` for one that changes no setting. A new interface's settings are
 * for whoever makes it. That IPv6 was switched off shows by the addresses that go, as they do with an interface.
 */
function noticeWaitMs(change: Change): number | undefined {
  if (change.kind === "settings") return change.gone || change.settings.isNew ? undefined : 0;
  return change.kind === "address" && change.gone && IpAddress.isIpv6(change.address.address)
    ? noticePauseMs
    : undefined;
}
