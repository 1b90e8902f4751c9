import { compareKeys, type Entry, keys, type Store, Syncer } from "@caracal/datastore";
import { type IpamSettings, readSettings, type SettingsSource } from "@caracal/ipam";
import type { Cancellation } from "@caracal/net";
import { ipPoolKind, ipReservationKind, nodeKind } from "@caracal/resources";
import { pause } from "../cluster/cluster-view.ts";

/**
 * What IPAM must know besides its own records, kept by watches, so that an ADD need not ask for it. While any of the
 * watches is not in sync the store is asked as before.
 */
export class WatchedIpamSettings {
  readonly #store: Store;
  readonly #node: string;
  readonly #syncers: readonly Syncer[];
  /** As of the last change told. */
  #known: IpamSettings | undefined;
  #changeCount = 0;
  #isDoubted = false;

  constructor(store: Store, node: string) {
    this.#store = store;
    this.#node = node;
    this.#syncers = [
      keys.resources(ipPoolKind.plural),
      keys.resources(ipReservationKind.plural),
      keys.ipamConfig,
      keys.resource(nodeKind.plural, node),
    ].map((prefix) => this.#syncer(prefix));
  }

  /** Follows the store until the signal aborts. */
  async run(signal: Cancellation): Promise<void> {
    await Promise.all(this.#syncers.map((syncer) => syncer.run(signal)));
  }

  /** The settings now. */
  async get(): Promise<IpamSettings> {
    const isCurrent = this.#syncers.every(({ status }) => status.kind === "inSync");
    const mayTrust = isCurrent && !this.#isDoubted;
    if (mayTrust && this.#known !== undefined) return this.#known;
    this.#isDoubted = false;
    const changeCount = this.#changeCount;
    const settings = await readSettings(mayTrust ? this.#watched() : this.#store, this.#node);
    if (isCurrent && changeCount === this.#changeCount) this.#known = settings;
    return settings;
  }

  /** A watch tells a little late: the next time the store itself is asked. */
  doubt(): void {
    this.#isDoubted = true;
  }

  #syncer(prefix: string): Syncer {
    const forget = (): void => {
      this.#known = undefined;
      this.#changeCount += 1;
    };
    return new Syncer({ store: this.#store, prefix, sleep: pause, onChanges: forget, onStatus: forget });
  }

  /** The store as it was last told. */
  #watched(): SettingsSource {
    const entries = new Map<string, Entry>(this.#syncers.flatMap((syncer) => [...syncer.entries]));
    return {
      get: (key) => Promise.resolve(entries.get(key)),
      list: (prefix) => {
        const listed = [...entries.values()].filter(({ key }) => key.startsWith(prefix));
        return Promise.resolve({ entries: listed.toSorted((a, b) => compareKeys(a.key, b.key)) });
      },
    };
  }
}
