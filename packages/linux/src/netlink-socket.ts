import { Writer } from "@caracal/net";
import {
  type Acknowledgement,
  decodeAcknowledgement,
  decodeDone,
  type Message,
  Nlm,
  Nlmsg,
  readMessages,
  type Request,
  writeRequest,
} from "@caracal/netlink";
import { KernelError } from "./kernel-error.ts";
import type { NamespaceTarget } from "./namespace.ts";
import { NetlinkFd, type NetlinkProtocol, type NetlinkTransport } from "./netlink-fd.ts";

/** Most requests of one datagram: beyond it the system call's price per request no longer falls. */
const batchRequestsMax = 64;
/** A datagram is sent when it holds this much, well below the default send buffer. */
const batchBytesMax = 64 * 1024;
/** Enough for a request; those who send batches grow to `batchBytesMax` once. */
const writerBytes = 1024;
/** Room for the refusals of a whole batch and for the largest reply. */
const receiveBufferBytes = 1 << 20;
/** Numbering starts over here, far enough below 2³² that no batch crosses it. */
const sequenceMax = 0xffff_0000;
/** How often a torn dump is begun again before it counts as failed. */
const dumpAttemptsMax = 8;

/** The kernel's refusal of one request of a batch. */
export interface BatchFailure {
  /** Place of the request in the batch. */
  readonly index: number;
  readonly error: KernelError;
}

/**
 * Requests to rtnetlink and their answers. Every call is synchronous, because the kernel is: it has carried a request
 * out and queued the answer before `send` returns, so there is nothing to wait for.
 */
export class NetlinkSocket implements Disposable {
  readonly #transport: NetlinkTransport;
  readonly #writer = new Writer(writerBytes, 1 << 20);
  #sequence = 0;

  constructor(transport: NetlinkTransport) {
    this.#transport = transport;
  }

  /** A socket of the thread's own namespace, or of the one given, wherever its user runs later. */
  static open(namespace?: NamespaceTarget, protocol?: NetlinkProtocol): NetlinkSocket {
    return new NetlinkSocket(NetlinkFd.open(namespace, receiveBufferBytes, protocol));
  }

  /** The socket's netlink address: notices of what it does carry this number. */
  get port(): number {
    return this.#transport.port;
  }

  /** Sends one request and hands its answers (not the acknowledgement) to `visit`. A refusal is thrown as `KernelError`. */
  request(op: string, request: Request, visit?: (answer: Message) => void): void {
    this.#begin();
    const sequence = this.#append(request, Nlm.NLM_F_ACK);
    this.#flush(op);
    this.#collect(op, sequence, (answer) => {
      if (answer.type !== Nlmsg.NLMSG_ERROR) {
        visit?.(answer);
        return false;
      }
      throwUnlessOk(op, decodeAcknowledgement(answer));
      return true;
    });
  }

  /** All objects a dump request lists, one per message that `decode` accepts. A torn dump is begun again, a few times. */
  dump<Item>(op: string, request: Request, decode: (answer: Message) => Item | undefined): Item[] {
    for (let attempt = 0; attempt < dumpAttemptsMax; attempt += 1) {
      const items = this.#dumpOnce(op, request, decode);
      if (items !== undefined) return items;
    }
    throw new KernelError(op, "EINTR", `the tables changed during each of ${dumpAttemptsMax} dumps`);
  }

  /**
   * Carries out many requests in order, a datagram for up to 64. One that the kernel refuses does not stop the rest.
   * Only the last of a datagram asks for an acknowledgement: refusals come unasked. What requests for objects are answered
   * goes to `visit`.
   */
  batch(
    op: string,
    requests: readonly Request[],
    visit?: (answer: Message) => void,
  ): readonly BatchFailure[] {
    const failures: BatchFailure[] = [];
    let next = 0;
    while (next < requests.length) next = this.#sendBatch(op, requests, next, failures, visit);
    return failures;
  }

  close(): void {
    this.#transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #sendBatch(
    op: string,
    requests: readonly Request[],
    first: number,
    failures: BatchFailure[],
    visit: ((answer: Message) => void) | undefined,
  ): number {
    this.#begin();
    const firstSequence = this.#sequence + 1;
    const end = Math.min(requests.length, first + batchRequestsMax);
    let index = first;
    let lastAt = 0;
    for (; index < end && this.#writer.length < batchBytesMax; index += 1) {
      const request = requests[index];
      if (request === undefined) break;
      lastAt = this.#writer.length;
      this.#append(request, 0);
    }
    this.#writer.patchU16le(
      lastAt + flagsOffset,
      (requests[index - 1]?.flags ?? 0) | Nlm.NLM_F_REQUEST | Nlm.NLM_F_ACK,
    );
    this.#flush(op);
    const lastSequence = this.#sequence;
    this.#collect(op, firstSequence, (answer) => {
      if (answer.type !== Nlmsg.NLMSG_ERROR) {
        visit?.(answer);
        return false;
      }
      const { errno, sequence, text } = decodeAcknowledgement(answer);
      if (errno !== 0) {
        failures.push({ index: first + sequence - firstSequence, error: KernelError.of(op, errno, text) });
      }
      return sequence === lastSequence;
    });
    return index;
  }

  #dumpOnce<Item>(
    op: string,
    request: Request,
    decode: (answer: Message) => Item | undefined,
  ): Item[] | undefined {
    const items: Item[] = [];
    let torn = false;
    this.#begin();
    const sequence = this.#append(request, 0);
    this.#flush(op);
    this.#collect(op, sequence, (answer) => {
      if ((answer.flags & Nlm.NLM_F_DUMP_INTR) !== 0) torn = true;
      if (answer.type === Nlmsg.NLMSG_DONE || answer.type === Nlmsg.NLMSG_ERROR) {
        throwUnlessOk(
          op,
          answer.type === Nlmsg.NLMSG_DONE ? decodeDone(answer) : decodeAcknowledgement(answer),
        );
        return true;
      }
      const item = decode(answer);
      if (item !== undefined) items.push(item);
      return false;
    });
    return torn ? undefined : items;
  }

  /** Receives until `visit` says that an answer was the last. Answers to requests before `firstSequence` are leftovers. */
  #collect(op: string, firstSequence: number, visit: (answer: Message) => boolean): void {
    for (;;) {
      const received = this.#transport.receive();
      if (received === "empty") throw new KernelError(op, "EPROTO", "the kernel's answer ended early");
      if (received === "overrun") throw new KernelError(op, "ENOBUFS", "answers of the kernel were lost");
      let done = false;
      for (const answer of readMessages(received)) {
        if (answer.sequence >= firstSequence) done = visit(answer) || done;
      }
      if (done) return;
    }
  }

  #begin(): void {
    this.#writer.truncate(0);
    if (this.#sequence > sequenceMax) this.#sequence = 0;
  }

  #append(request: Request, flags: number): number {
    this.#sequence += 1;
    writeRequest(this.#writer, request, this.#sequence, flags);
    return this.#sequence;
  }

  #flush(op: string): void {
    this.#transport.send(op, this.#writer.view());
  }
}

/** Where the flags stand in a message's header. */
const flagsOffset = 6;

function throwUnlessOk(op: string, verdict: Acknowledgement): void {
  if (verdict.errno !== 0) throw KernelError.of(op, verdict.errno, verdict.text);
}
