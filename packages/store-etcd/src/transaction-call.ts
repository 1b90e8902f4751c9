import type { Revision, TransactionStep } from "@caracal/datastore";
import { CompareTarget, type TxnResponse } from "@caracal/etcd-api";
import { txn, type UnaryMethod } from "./etcd-methods.ts";
import { EtcdRevision } from "./etcd-revision.ts";
import { MessageParts } from "./message-parts.ts";

/*
 * etcd's KV.Txn as nearly every write here uses it. The general codec builds an object for every message and every field of
 * it, by reflection, on both ways; that took as long as everything else that a client does for a write. So the request
 * is written straight from the steps (the bytes are the same), and of an answer that says yes only the revision is read.
 */

/** How a transaction ended: done at a revision, or refused with what the keys hold, in the order of the steps. */
export type TransactionAnswer =
  | { readonly kind: "done"; readonly revision: Revision }
  | { readonly kind: "refused"; readonly response: TxnResponse };

/** All steps, if every key holds what its step says; else a look at every key. */
export const transaction: UnaryMethod<readonly TransactionStep[], TransactionAnswer> = {
  path: txn.path,
  frame: (steps) => {
    const request = new MessageParts();
    for (const step of steps) request.nested(Txn.compare, condition(step));
    for (const step of steps) {
      const write = writeOf(step);
      if (write !== undefined) request.nested(Txn.success, write);
    }
    for (const { key } of steps) {
      request.nested(Txn.failure, new MessageParts().nested(Op.range, new MessageParts().text(1, key)));
    }
    return request.framed();
  },
  read: (bytes) => {
    const revision = doneAt(bytes);
    if (revision !== undefined) return { kind: "done", revision: EtcdRevision.format(BigInt(revision)) };
    const response = txn.read(bytes);
    if (!response.succeeded) return { kind: "refused", response };
    return { kind: "done", revision: EtcdRevision.format(response.header?.revision ?? 0n) };
  },
};

// Field numbers of the messages.
const Txn = { compare: 1, success: 2, failure: 3 } as const;
const Compare = { target: 2, key: 3, version: 4, modRevision: 6 } as const;
const Op = { range: 1, put: 2, deleteRange: 3 } as const;

/** What a step wants of its key: that it is not there, or that its last change is that revision. */
function condition(step: TransactionStep): MessageParts {
  const compare = new MessageParts();
  if (step.kind === "create") return compare.text(Compare.key, step.key).varint(Compare.version, 0);
  return compare
    .varint(Compare.target, CompareTarget.MOD)
    .text(Compare.key, step.key)
    .varint(Compare.modRevision, EtcdRevision.ofEntry(step.revision));
}

function writeOf(step: TransactionStep): MessageParts | undefined {
  switch (step.kind) {
    case "expect":
      return undefined;
    case "delete":
      return new MessageParts().nested(Op.deleteRange, new MessageParts().text(1, step.key));
    default:
      return new MessageParts().nested(Op.put, new MessageParts().text(1, step.key).text(2, step.value));
  }
}

const Answer = { header: (1 << 3) | 2, succeeded: 2 << 3, responses: (3 << 3) | 2 } as const;
const Header = { revision: 3 << 3 } as const;

/** The revision of an answer that says yes; `undefined` for every other, and for what only the general codec can tell. */
function doneAt(bytes: Uint8Array): number | undefined {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let weight = 1; ; weight *= 0x80) {
      // Past the end there are zeros, and then `at` shows it.
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
  };
  let revision: number | undefined;
  let hasSucceeded = false;
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    if (tag === Answer.succeeded) hasSucceeded = value === 1;
    else if (tag === Answer.responses) at += value;
    else if (tag === Answer.header) {
      // Every field of the header is a number.
      for (const end = at + value; at < end;) {
        const field = varint();
        const number = varint();
        if (field === Header.revision) revision = number;
      }
    } else return undefined;
  }
  return hasSucceeded && at === bytes.length && Number.isSafeInteger(revision) ? revision : undefined;
}
