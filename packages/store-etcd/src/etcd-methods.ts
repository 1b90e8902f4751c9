import { MessageParts } from "./message-parts.ts";
import { MessageReader, tagOfBytes, tagOfNumber } from "./message-reader.ts";

/*
 * The methods with one answer, written and read by hand. The general codec of `etcd-api` takes as long to load as a whole
 * command otherwise does, and builds an object for every message and every field of it by reflection. The bytes are the same.
 */

/** A method with one request and one answer. */
export interface UnaryMethod<Request, Response> {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The request as gRPC sends it, behind its prefix. */
  readonly frame: (request: Request) => Buffer;
  readonly read: (answer: Uint8Array) => Response;
}

/** What is stored under a key. */
export interface StoredValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly modRevision: bigint;
}

export interface RangeQuery {
  readonly key: Uint8Array;
  /** The first key not wanted; without it, the key alone. */
  readonly rangeEnd?: Uint8Array;
  /** 0: all. */
  readonly limit?: number;
  /** 0: now. */
  readonly revision?: bigint;
  readonly keysOnly?: boolean;
}

export interface RangePage {
  /** The store's when it answered. */
  readonly revision: bigint;
  readonly values: readonly StoredValue[];
  /** Whether the limit cut the answer. */
  readonly more: boolean;
}

// Field numbers of the messages.
const Header = { revision: tagOfNumber(3) } as const;
const Range = { key: 1, rangeEnd: 2, limit: 3, revision: 4, keysOnly: 8 } as const;
const RangeAnswer = { header: tagOfBytes(1), values: tagOfBytes(2), more: tagOfNumber(3) } as const;
const KeyValue = { key: tagOfBytes(1), modRevision: tagOfNumber(3), value: tagOfBytes(5) } as const;
const Login = { name: 1, password: 2 } as const;
const LoginAnswer = { token: tagOfBytes(2) } as const;
const Compaction = { revision: 1 } as const;

export const range: UnaryMethod<RangeQuery, RangePage> = {
  path: "/etcdserverpb.KV/Range",
  frame: ({ key, rangeEnd, limit = 0, revision = 0n, keysOnly = false }) => {
    const request = new MessageParts().bytes(Range.key, key);
    if (rangeEnd !== undefined) request.bytes(Range.rangeEnd, rangeEnd);
    if (limit !== 0) request.varint(Range.limit, limit);
    if (revision !== 0n) request.varint(Range.revision, revision);
    if (keysOnly) request.varint(Range.keysOnly, 1);
    return request.framed();
  },
  read: readRange,
};

/** Logs in; gives the token. */
export const authenticate: UnaryMethod<{ readonly name: string; readonly password: string }, string> = {
  path: "/etcdserverpb.Auth/Authenticate",
  frame: ({ name, password }) =>
    new MessageParts().text(Login.name, name).text(Login.password, password).framed(),
  read: (bytes) => {
    const answer = new MessageReader(bytes);
    let token = "";
    for (let tag = answer.tag(); tag !== undefined; tag = answer.tag()) {
      if (tag === LoginAnswer.token) token = Buffer.from(answer.bytes()).toString();
      else answer.skip(tag);
    }
    return token;
  },
};

/** Forgets the history before a revision. */
export const compact: UnaryMethod<bigint, void> = {
  path: "/etcdserverpb.KV/Compact",
  frame: (revision) => new MessageParts().varint(Compaction.revision, revision).framed(),
  read: () => undefined,
};

/** The answer of a range, also within a transaction. */
export function readRange(bytes: Uint8Array): RangePage {
  const answer = new MessageReader(bytes);
  const values: StoredValue[] = [];
  let revision = 0n;
  let more = false;
  for (let tag = answer.tag(); tag !== undefined; tag = answer.tag()) {
    if (tag === RangeAnswer.values) values.push(readValue(answer.bytes()));
    else if (tag === RangeAnswer.header) revision = readRevision(answer.bytes());
    else if (tag === RangeAnswer.more) more = answer.flag();
    else answer.skip(tag);
  }
  return { revision, values, more };
}

const none = new Uint8Array();

export function readValue(bytes: Uint8Array): StoredValue {
  const message = new MessageReader(bytes);
  let key: Uint8Array = none;
  let value: Uint8Array = none;
  let modRevision = 0n;
  for (let tag = message.tag(); tag !== undefined; tag = message.tag()) {
    if (tag === KeyValue.key) key = message.bytes();
    else if (tag === KeyValue.value) value = message.bytes();
    else if (tag === KeyValue.modRevision) modRevision = message.integer();
    else message.skip(tag);
  }
  return { key, value, modRevision };
}

/** The store's revision in the header of an answer. */
export function readRevision(header: Uint8Array): bigint {
  const message = new MessageReader(header);
  let revision = 0n;
  for (let tag = message.tag(); tag !== undefined; tag = message.tag()) {
    if (tag === Header.revision) revision = message.integer();
    else message.skip(tag);
  }
  return revision;
}
