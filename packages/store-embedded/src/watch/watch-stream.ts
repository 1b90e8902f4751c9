import {
  type Fields,
  type Init,
  type WatchCreateRequest,
  WatchFilter,
  type WatchRequest,
  type WatchResponseSchema,
} from "@caracal/etcd-api";
import { KeyRange } from "../key-range.ts";
import type { EmbeddedStore } from "../embedded-store.ts";
import type { Change } from "../storage/write.ts";
import { freshEvents, pastEvents, type WatchEvent } from "./past-events.ts";
import type { Subscriber } from "./watch-hub.ts";
import type { Watcher } from "./watcher.ts";

/** A message without what the stream adds: its header. */
type Message = Omit<Fields<typeof WatchResponseSchema>, "header">;

/** The client's end of a stream. */
export interface WatchChannel {
  /** False: no more until `WatchStream.resume` is called. */
  write(response: Init<typeof WatchResponseSchema>): boolean;
  end(): void;
}

/** etcd's id for messages that concern no watch. */
const noWatch = -1n;
/** etcd watches everything from the zero byte on when no key is named. */
const zeroByte = new Uint8Array([0]);

/**
 * The watches of one client stream. Nothing is buffered for a slow client: its watches fall back to reading the history,
 * and go on from where they were when it reads again. If that was compacted meanwhile, they are told so.
 */
export class WatchStream implements Subscriber {
  readonly #store: EmbeddedStore;
  readonly #channel: WatchChannel;
  readonly #watchers = new Map<bigint, Watcher>();
  #nextId = 0n;
  #isBlocked = false;
  #isClosed = false;
  #isCatchingUp = false;
  #owesProgress = false;

  constructor(store: EmbeddedStore, channel: WatchChannel) {
    this.#store = store;
    this.#channel = channel;
    store.watches.join(this);
  }

  handle({ requestUnion }: WatchRequest): void {
    switch (requestUnion.case) {
      case "createRequest":
        return this.#create(requestUnion.value);
      case "cancelRequest":
        return this.#cancel(requestUnion.value.watchId);
      case "progressRequest":
        this.#owesProgress = true;
        return this.#payProgress();
      case undefined:
    }
  }

  /** The client reads again. */
  resume(): void {
    this.#isBlocked = false;
    this.#catchUp();
  }

  /** The client has left. */
  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers.values()) this.#store.watches.remove(watcher);
    this.#watchers.clear();
    this.#store.watches.leave(this);
  }

  end(): void {
    this.close();
    this.#channel.end();
  }

  deliver(watcher: Watcher, changes: readonly Change[], first: bigint, last: bigint): void {
    if (watcher.isLagging || watcher.next > last) return;
    if (this.#isBlocked) {
      watcher.isLagging = true;
      if (watcher.next < first) watcher.next = first;
      return;
    }
    const events = freshEvents(this.#store.history, watcher, changes);
    if (events.length > 0) this.#sendEvents(watcher, events, last);
  }

  reportProgress(): void {
    for (const watcher of this.#watchers.values()) {
      const isDue = watcher.wantsProgress && !watcher.isBusy && !watcher.isLagging && !this.#isBlocked;
      watcher.isBusy = false;
      if (isDue) this.#send({ watchId: watcher.id });
    }
  }

  #create(request: WatchCreateRequest): void {
    const key = request.key.length === 0 ? zeroByte : request.key;
    const range = KeyRange.of(key, request.rangeEnd);
    if (KeyRange.isEmpty(range)) return this.#refuse("mvcc: watcher range is empty");
    if (this.#watchers.has(request.watchId) && request.watchId !== 0n) {
      return this.#refuse("mvcc: duplicate watch ID provided on the WatchStream");
    }
    const { newest } = this.#store.revisions;
    const next = request.startRevision > 0n ? request.startRevision : newest + 1n;
    const watcher: Watcher = {
      id: request.watchId === 0n ? this.#freeId() : request.watchId,
      range,
      wantsPuts: !request.filters.includes(WatchFilter.NOPUT),
      wantsDeletes: !request.filters.includes(WatchFilter.NODELETE),
      wantsPrevious: request.prevKv,
      wantsProgress: request.progressNotify,
      next,
      isLagging: next <= newest,
      isBusy: false,
    };
    this.#watchers.set(watcher.id, watcher);
    this.#store.watches.add(watcher, this);
    this.#send({ watchId: watcher.id, created: true });
    if (watcher.isLagging) this.#catchUp();
  }

  #cancel(id: bigint): void {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return;
    this.#forget(watcher);
    this.#send({ watchId: id, canceled: true });
  }

  #refuse(cancelReason: string): void {
    this.#send({ watchId: noWatch, created: true, canceled: true, cancelReason });
  }

  #forget(watcher: Watcher): void {
    this.#watchers.delete(watcher.id);
    this.#store.watches.remove(watcher);
  }

  #freeId(): bigint {
    while (this.#watchers.has(this.#nextId)) this.#nextId += 1n;
    const id = this.#nextId;
    this.#nextId += 1n;
    return id;
  }

  /** One message for one lagging watcher per turn, until all are up to date or the client is slow. */
  #catchUp(): void {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    setImmediate(() => {
      this.#isCatchingUp = false;
      if (this.#isClosed || this.#isBlocked) return;
      for (const watcher of this.#watchers.values()) {
        if (watcher.isLagging) this.#advance(watcher);
        if (this.#isBlocked) return;
      }
      const isBehind = [...this.#watchers.values()].some((watcher) => watcher.isLagging);
      if (isBehind) this.#catchUp();
      else this.#payProgress();
    });
  }

  #advance(watcher: Watcher): void {
    const { history, revisions } = this.#store;
    if (watcher.next < revisions.compacted) {
      this.#forget(watcher);
      // etcd gives no revision here either.
      this.#send({ watchId: watcher.id, canceled: true, compactRevision: revisions.compacted }, 0n);
      return;
    }
    const { events, next } = pastEvents(history, revisions, watcher);
    watcher.next = next;
    watcher.isLagging = next <= revisions.newest;
    if (events.length > 0) this.#sendEvents(watcher, events, revisions.newest);
  }

  /** A report of progress says that everything up to its revision was told: it waits for the last lagging watch. */
  #payProgress(): void {
    if (!this.#owesProgress || this.#isBlocked) return;
    if ([...this.#watchers.values()].some((watcher) => watcher.isLagging)) return;
    this.#owesProgress = false;
    this.#send({ watchId: noWatch });
  }

  #sendEvents(watcher: Watcher, events: readonly WatchEvent[], revision: bigint): void {
    watcher.isBusy = true;
    this.#send({ watchId: watcher.id, events: [...events] }, revision);
  }

  #send(message: Message, revision: bigint = this.#store.revisions.newest): void {
    if (this.#isClosed) return;
    const hasRoom = this.#channel.write({ header: this.#store.header(revision), ...message });
    if (!hasRoom) this.#isBlocked = true;
  }
}
