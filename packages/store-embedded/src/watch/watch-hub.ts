import { KeyRange } from "../key-range.ts";
import type { Change } from "../storage/write.ts";
import type { Watcher } from "./watcher.ts";

/** Takes the changes that one of its watchers wants to know of. */
export interface Subscriber {
  /** `changes` match the watcher's range and are of the revisions `first` to `last`. */
  deliver(watcher: Watcher, changes: readonly Change[], first: bigint, last: bigint): void;
  /** Time to tell the idle watchers how far the store is. */
  reportProgress(): void;
  /** The server is going away. */
  end(): void;
}

interface Group {
  readonly range: KeyRange;
  readonly members: Map<Watcher, Subscriber>;
}

/** Hands the changes of a commit to the watchers whose range they are in. Watchers of one range are matched together. */
export class WatchHub {
  readonly #groups = new Map<string, Group>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #timer: NodeJS.Timeout;

  constructor(progressIntervalMs: number) {
    this.#timer = setInterval(() => {
      for (const subscriber of this.#subscribers) subscriber.reportProgress();
    }, progressIntervalMs);
    this.#timer.unref();
  }

  join(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  leave(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
  }

  add(watcher: Watcher, subscriber: Subscriber): void {
    const text = KeyRange.text(watcher.range);
    const group = this.#groups.get(text) ?? { range: watcher.range, members: new Map<Watcher, Subscriber>() };
    group.members.set(watcher, subscriber);
    this.#groups.set(text, group);
  }

  remove(watcher: Watcher): void {
    const text = KeyRange.text(watcher.range);
    const group = this.#groups.get(text);
    group?.members.delete(watcher);
    if (group?.members.size === 0) this.#groups.delete(text);
  }

  /** Changes in order of their revisions, all of one commit. */
  publish(changes: readonly Change[]): void {
    const first = changes[0]?.kv.modRevision;
    const last = changes.at(-1)?.kv.modRevision;
    if (first === undefined || last === undefined) return;
    for (const { range, members } of this.#groups.values()) {
      const matching = changes.filter(({ kv }) => KeyRange.contains(range, kv.key));
      if (matching.length === 0) continue;
      for (const [watcher, subscriber] of members) subscriber.deliver(watcher, matching, first, last);
    }
  }

  /** Ends every stream. */
  close(): void {
    clearInterval(this.#timer);
    for (const subscriber of this.#subscribers) subscriber.end();
    this.#subscribers.clear();
    this.#groups.clear();
  }
}
