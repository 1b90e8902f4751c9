import koffi from "koffi";

/**
 * The C library, called by FFI: the one place in the house where foreign code runs. Every function is as in its manual
 * page, of the running process's own C library (so glibc and musl both do), and leaves its error in `lastErrno()`.
 */
const library = koffi.load(null);

type Bytes = Uint8Array;

export const libc: {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Bytes, length: number) => number;
  readonly connect: (fd: number, address: Bytes, length: number) => number;
  readonly setsockopt: (fd: number, level: number, option: number, value: Bytes, length: number) => number;
  readonly getsockname: (fd: number, address: Bytes, length: Bytes) => number;
  readonly send: (fd: number, data: Bytes, length: number, flags: number) => number;
  readonly recv: (fd: number, data: Bytes, length: number, flags: number) => number;
  readonly recvfrom: (
    fd: number,
    data: Bytes,
    length: number,
    flags: number,
    address: Bytes,
    addressLength: Bytes,
  ) => number;
  readonly ioctl: (fd: number, request: number, argument: Bytes) => number;
  readonly fcntl: (fd: number, command: number, argument: number) => number;
  readonly setns: (fd: number, kind: number) => number;
  readonly unshare: (flags: number) => number;
  readonly mount: (source: string, target: string, kind: string, flags: number, data: null) => number;
  readonly umount2: (target: string, flags: number) => number;
  readonly flock: (fd: number, operation: number) => number;
  readonly strerror: (errno: number) => string;
} = {
  socket: library.func("int socket(int domain, int type, int protocol)"),
  bind: library.func("int bind(int fd, const void *address, uint32_t length)"),
  connect: library.func("int connect(int fd, const void *address, uint32_t length)"),
  setsockopt: library.func(
    "int setsockopt(int fd, int level, int option, const void *value, uint32_t length)",
  ),
  getsockname: library.func("int getsockname(int fd, void *address, void *length)"),
  send: library.func("int64_t send(int fd, const void *data, size_t length, int flags)"),
  recv: library.func("int64_t recv(int fd, void *data, size_t length, int flags)"),
  recvfrom: library.func(
    "int64_t recvfrom(int fd, void *data, size_t length, int flags, void *address, void *addressLength)",
  ),
  ioctl: library.func("int ioctl(int fd, ulong request, void *argument)"),
  fcntl: library.func("int fcntl(int fd, int command, int64_t argument)"),
  setns: library.func("int setns(int fd, int kind)"),
  unshare: library.func("int unshare(int flags)"),
  mount: library.func(
    "int mount(const char *source, const char *target, const char *kind, ulong flags, void *data)",
  ),
  umount2: library.func("int umount2(const char *target, int flags)"),
  flock: library.func("int flock(int fd, int operation)"),
  strerror: library.func("const char *strerror(int errno)"),
};

/** Where the bytes are in memory, valid while `bytes` is referenced: for structures that hold pointers. */
export function addressOf(bytes: Bytes): bigint {
  return koffi.address(bytes);
}

/** The error number of the last failed call on this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

const names = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));
// Two names of one number each; these are the ones that manual pages use.
names.set(11, "EAGAIN");
names.set(95, "EOPNOTSUPP");

/** "EEXIST" for 17, and so on; a number without a name is its decimal text. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? String(errno);
}
