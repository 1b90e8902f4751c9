import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
} from "node:fs";
import { checked, KernelError } from "./kernel-error.ts";
import { libc } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;
/** ioctl_ns(2): which kind of namespace a descriptor is, as the flag that clone(2) has for it. */
const NS_GET_NSTYPE = 0xb703;
const noArgument = new Uint8Array(0);
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_SHARED = 0x100000;
const MNT_DETACH = 2;

/** Where `ip netns` keeps its named namespaces. */
const namedDirectory = "/run/netns";
/** The namespace of the calling thread; `/proc/self` would be the main thread's. */
const ownPath = "/proc/thread-self/ns/net";

/** A network namespace: an open one, or the path of its file (`/run/netns/a`, `/proc/12/ns/net`). */
export type NamespaceTarget = Namespace | string;

/** An open network namespace. It lives at least until `close`, whatever happens to its file. */
export class Namespace implements Disposable {
  readonly fd: number;
  /** Identifies the namespace on this machine as long as it exists. */
  readonly inode: number;
  #open = true;

  private constructor(fd: number) {
    this.fd = fd;
    this.inode = fstatSync(fd).ino;
  }

  static open(path: string): Namespace {
    try {
      // A path may lead to a pipe that nobody writes to: opening that would never end.
      return new Namespace(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    } catch (error) {
      throw KernelError.from("namespace.open", error);
    }
  }

  /** The namespace the calling thread is in. */
  static current(): Namespace {
    return Namespace.open(ownPath);
  }

  /** Whether it is what it is taken for: any file can be opened, only a network namespace can be entered. */
  get isNetwork(): boolean {
    return libc.ioctl(this.fd, NS_GET_NSTYPE, noArgument) === CLONE_NEWNET;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The file of a namespace made by `createNamespace` or `ip netns add`. */
export function namespacePath(name: string): string {
  if (!/^[^/\0]{1,255}$/.test(name) || name === "." || name === "..") {
    throw new KernelError("namespace.name", "EINVAL", `"${name}" cannot name a network namespace`);
  }
  return `${namedDirectory}/${name}`;
}

/**
 * Runs `work` with the calling thread inside a namespace, and always comes back. Only synchronous work stays inside:
 * what it starts (sockets, child processes) belongs there for ever, what it awaits would run outside, and is refused.
 */
export function withNamespace<Result>(target: NamespaceTarget, work: () => Result): Result {
  return withNamespaceFd(target, (fd) => {
    using home = Namespace.current();
    checked("namespace.enter", libc.setns(fd, CLONE_NEWNET));
    let result: Result;
    try {
      result = work();
    } finally {
      returnTo(home);
    }
    if (result instanceof Promise) throw new TypeError("work inside a namespace must be synchronous");
    return result;
  });
}

/** Gives `use` an open descriptor of the namespace, valid during the call. */
export function withNamespaceFd<Result>(target: NamespaceTarget, use: (fd: number) => Result): Result {
  if (typeof target !== "string") return use(target.fd);
  using opened = Namespace.open(target);
  return use(opened.fd);
}

/** Makes an empty namespace that `ip netns` sees under this name. Its loopback interface is down. */
export function createNamespace(name: string): void {
  const path = namespacePath(name);
  shareNamedDirectory();
  try {
    closeSync(openSync(path, "wx", 0o444));
  } catch (error) {
    throw KernelError.from("namespace.create", error);
  }
  try {
    using home = Namespace.current();
    checked("namespace.create", libc.unshare(CLONE_NEWNET));
    try {
      // The mount keeps the namespace alive when the thread has gone back.
      checked("namespace.create", libc.mount(ownPath, path, "none", MS_BIND, null));
    } finally {
      returnTo(home);
    }
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

/** Removes a name; the namespace itself goes with its last user. `false` when there was none. */
export function deleteNamespace(name: string): boolean {
  const path = namespacePath(name);
  // A failure is a file without a mount, left by a creator that died in between: removing the file is all it takes.
  libc.umount2(path, MNT_DETACH);
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    const failure = KernelError.from("namespace.delete", error);
    if (failure.errno === "ENOENT") return false;
    throw failure;
  }
}

/** The names of all named namespaces. */
export function listNamespaces(): readonly string[] {
  try {
    return readdirSync(namedDirectory);
  } catch {
    return [];
  }
}

function returnTo(home: Namespace): void {
  if (libc.setns(home.fd, CLONE_NEWNET) === 0) return;
  // All that follows would happen in the wrong network: stopping is the only safe thing.
  process.stderr.write("fatal: cannot return to the own network namespace\n");
  process.abort();
}

/** As `ip netns` does: the directory is a shared mount, so other mount namespaces see names come and go. */
function shareNamedDirectory(): void {
  mkdirSync(namedDirectory, { recursive: true, mode: 0o755 });
  // proc_pid_mountinfo(5): the fifth field is the mount point.
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const isMount = mounts.some((line) => line.split(" ")[4] === namedDirectory);
  if (!isMount) {
    checked("namespace.share", libc.mount(namedDirectory, namedDirectory, "none", MS_BIND | MS_REC, null));
  }
  checked("namespace.share", libc.mount("", namedDirectory, "none", MS_SHARED | MS_REC, null));
}
