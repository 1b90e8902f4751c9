import { messageOf } from "@caracal/net";
import { errnoName, lastErrno, libc } from "./libc.ts";

/** A refusal by the kernel. Match on `errno` (or `code`, the same); `detail` is for people. */
export class KernelError extends Error {
  /** What was asked, such as "route.add". */
  readonly op: string;
  /** Name of the error number, such as "EEXIST". */
  readonly errno: string;
  readonly code: string;
  /** The kernel's own words where it gave some, else the C library's. */
  readonly detail: string;

  constructor(op: string, errno: string, detail: string, options?: ErrorOptions) {
    super(`${op}: ${errno}: ${detail}`, options);
    this.name = "KernelError";
    this.op = op;
    this.errno = errno;
    this.code = errno;
    this.detail = detail;
  }

  /** From an error number and, where there is one, the kernel's text. */
  static of(op: string, errno: number, text?: string): KernelError {
    return new KernelError(op, errnoName(errno), text ?? libc.strerror(errno));
  }

  /** From a thrown error of a file operation: its `code` becomes `errno`. */
  static from(op: string, error: unknown): KernelError {
    if (error instanceof KernelError) return error;
    const code =
      error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
    return new KernelError(op, code, messageOf(error), {
      cause: error,
    });
  }
}

/** Passes a system call's result on; a negative one is thrown as `KernelError`. */
export function checked(op: string, result: number): number {
  if (result < 0) throw KernelError.of(op, lastErrno());
  return result;
}
