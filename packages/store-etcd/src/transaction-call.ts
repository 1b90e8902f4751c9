import type { Revision, TransactionStep } from "@caracal/datastore";
import type { CompareTarget } from "@caracal/etcd-api";
import { readRange, readRevision, readValue, type StoredValue, type UnaryMethod } from "./etcd-methods.ts";
import { EtcdRevision } from "./etcd-revision.ts";
import { MessageParts } from "./message-parts.ts";
import { MessageReader, tagOfBytes, tagOfNumber } from "./message-reader.ts";

const path = "/etcdserverpb.KV/Txn";

/** How a transaction ended: done at a revision, or refused with what the keys hold, in the order of the steps. */
export type TransactionAnswer =
  | { readonly kind: "done"; readonly revision: Revision }
  | { readonly kind: "refused"; readonly current: readonly (StoredValue | undefined)[] };

/** All steps, if every key holds what its step says; else a look at every key. */
export const transaction: UnaryMethod<readonly TransactionStep[], TransactionAnswer> = {
  path,
  frame: (steps) => {
    const request = new MessageParts();
    for (const step of steps) request.nested(Txn.compare, condition(step));
    for (const step of steps) {
      const write = writeOf(step);
      if (write !== undefined) request.nested(Txn.success, write);
    }
    for (const { key } of steps) request.nested(Txn.failure, look(key));
    return request.framed();
  },
  read: (bytes) => {
    const { revision, succeeded, responses } = readAnswer(bytes);
    if (!succeeded) return { kind: "refused", current: responses.map(found) };
    return { kind: "done", revision: EtcdRevision.format(revision) };
  },
};

export interface Deletion {
  readonly key: string;
  /** Only if the key's last change is that revision. */
  readonly revision: Revision | undefined;
}

export interface DeletionAnswer {
  readonly isDone: boolean;
  /** What was deleted, or what is there instead of the revision. */
  readonly value: StoredValue | undefined;
}

/** Deletes one key, and tells what it held. */
export const deletion: UnaryMethod<Deletion, DeletionAnswer> = {
  path,
  frame: ({ key, revision }) => {
    const request = new MessageParts();
    if (revision !== undefined) request.nested(Txn.compare, condition({ kind: "delete", key, revision }));
    const removal = new MessageParts().text(DeleteRange.key, key).varint(DeleteRange.previous, 1);
    return request
      .nested(Txn.success, new MessageParts().nested(Op.deleteRange, removal))
      .nested(Txn.failure, look(key))
      .framed();
  },
  read: (bytes) => {
    const { succeeded, responses } = readAnswer(bytes);
    const [first] = responses;
    return { isDone: succeeded, value: first === undefined ? undefined : found(first) };
  },
};

// Field numbers of the messages.
const Txn = { compare: 1, success: 2, failure: 3 } as const;
const Compare = { target: 2, key: 3, version: 4, modRevision: 6 } as const;
const Op = { range: 1, put: 2, deleteRange: 3 } as const;
const DeleteRange = { key: 1, previous: 3 } as const;
const Answer = { header: tagOfBytes(1), succeeded: tagOfNumber(2), responses: tagOfBytes(3) } as const;
const OpAnswer = { range: tagOfBytes(Op.range), deleteRange: tagOfBytes(Op.deleteRange) } as const;
const DeleteAnswer = { previous: tagOfBytes(3) } as const;
const byModRevision: typeof CompareTarget.MOD = 2;

/** What a step wants of its key: that it is not there, or that its last change is that revision. */
function condition(step: TransactionStep): MessageParts {
  const compare = new MessageParts();
  if (step.kind === "create") return compare.text(Compare.key, step.key).varint(Compare.version, 0);
  return compare
    .varint(Compare.target, byModRevision)
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

function look(key: string): MessageParts {
  return new MessageParts().nested(Op.range, new MessageParts().text(1, key));
}

interface TxnAnswer {
  readonly revision: bigint;
  readonly succeeded: boolean;
  /** Not yet read: of an answer that says yes, nearly always only the revision is wanted. */
  readonly responses: readonly Uint8Array[];
}

function readAnswer(bytes: Uint8Array): TxnAnswer {
  const answer = new MessageReader(bytes);
  const responses: Uint8Array[] = [];
  let revision = 0n;
  let succeeded = false;
  for (let tag = answer.tag(); tag !== undefined; tag = answer.tag()) {
    if (tag === Answer.responses) responses.push(answer.bytes());
    else if (tag === Answer.succeeded) succeeded = answer.flag();
    else if (tag === Answer.header) revision = readRevision(answer.bytes());
    else answer.skip(tag);
  }
  return { revision, succeeded, responses };
}

/** The first value that one operation of a transaction found or deleted. */
function found(response: Uint8Array): StoredValue | undefined {
  const message = new MessageReader(response);
  for (let tag = message.tag(); tag !== undefined; tag = message.tag()) {
    if (tag === OpAnswer.range) return readRange(message.bytes()).values[0];
    if (tag === OpAnswer.deleteRange) return firstDeleted(message.bytes());
    message.skip(tag);
  }
  return undefined;
}

function firstDeleted(bytes: Uint8Array): StoredValue | undefined {
  const message = new MessageReader(bytes);
  for (let tag = message.tag(); tag !== undefined; tag = message.tag()) {
    if (tag === DeleteAnswer.previous) return readValue(message.bytes());
    message.skip(tag);
  }
  return undefined;
}
