import { isMainThread } from "node:worker_threads";
import { checked } from "./kernel-error.ts";
import { libc } from "./libc.ts";

const F_SETFL = 4;
const F_SETOWN = 8;
const O_NONBLOCK = 0o4000;
const O_ASYNC = 0o20000;

/**
 * Tells when a descriptor may be read: Node can wait for files, pipes and TCP, but not for a netlink socket. The
 * kernel can signal the process instead (fcntl(2), O_ASYNC), and Node turns signals into events of its loop.
 *
 * The other ways cost more. A blocked `recv` takes one of libuv's four pool threads for good; a worker thread took
 * 15 ms and 10 MB here; a timer is either late or busy. A signal costs nothing while nothing happens, and a burst
 * of notices is one signal: it stays pending until the process takes it.
 */
const readers = new Set<() => void>();
let listening = false;

/** Calls `onMaybeReadable` whenever something arrived on any watched descriptor, and once at the start. Returns how to stop. */
export function watchReadable(fd: number, onMaybeReadable: () => void): () => void {
  if (!isMainThread)
    throw new Error("descriptors are watched by signal, which only the main thread receives");
  if (!listening) {
    // Never removed: without a listener, a signal still under way would end the process. It keeps no process alive.
    process.on("SIGIO", () => {
      for (const reader of readers) reader();
    });
    listening = true;
  }
  readers.add(onMaybeReadable);
  try {
    checked("netlink.watch", libc.fcntl(fd, F_SETOWN, process.pid));
    checked("netlink.watch", libc.fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
  } catch (error) {
    readers.delete(onMaybeReadable);
    throw error;
  }
  // What came before the signal was asked for.
  setImmediate(() => {
    if (readers.has(onMaybeReadable)) onMaybeReadable();
  });
  return () => {
    if (!readers.delete(onMaybeReadable)) return;
    checked("netlink.watch", libc.fcntl(fd, F_SETFL, O_NONBLOCK));
  };
}
