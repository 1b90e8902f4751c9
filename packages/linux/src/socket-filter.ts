import { Writer } from "@caracal/net";
import { checked } from "./kernel-error.ts";
import { addressOf, libc } from "./libc.ts";

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;

/** Instructions of classic BPF (linux/bpf_common.h), as far as they are used here. */
export const Bpf = {
  loadWordAt: 0x20,
  loadByteAt: 0x30,
  loadWordFromX: 0x40,
  loadLength: 0x80,
  subtract: 0x14,
  and: 0x54,
  copyToX: 0x07,
  jumpIfEqual: 0x15,
  answer: 0x06,
} as const;

/** One instruction: the code, how far to jump when it holds and when not, and its number. */
export type BpfLine = readonly [code: number, jump: number, otherwise: number, value: number];

/** What a filter answers to keep a whole packet, and to drop it. */
export const keepAll = 0xffffffff;
export const keepNothing = 0;

/** Bytes of struct sock_fprog, and of one struct sock_filter: | code u16 | jump u8 | else u8 | value u32 |. */
const programBytes = 16;
const lineBytes = 8;

/** Has the kernel ask the program for every packet before it is queued on the socket. */
export function attachFilter(op: string, fd: number, lines: readonly BpfLine[]): void {
  const writer = new Writer(programBytes + lines.length * lineBytes);
  // struct sock_fprog: | number of lines u16 | padding | pointer u64 |, and right behind it the lines.
  writer.u16le(lines.length);
  writer.zeros(programBytes - 2);
  for (const [code, jump, otherwise, value] of lines) {
    writer.u16le(code);
    writer.u8(jump);
    writer.u8(otherwise);
    writer.u32le(value);
  }
  const program = writer.finish();
  new DataView(program.buffer).setBigUint64(8, addressOf(program) + BigInt(programBytes), true);
  checked(op, libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, programBytes));
}
