import type { Readable } from "node:stream";

/** One HTTP request. */
export interface ChannelRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** Ends the request, whatever it waits for. */
  readonly signal: AbortSignal;
}

/** The head of an answer, and its body to be read. */
export interface ChannelAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Readable;
}

/** A connection, or several, to one server. */
export interface Channel {
  /** Whether a new request may be made on it. */
  readonly isOpen: boolean;
  open(request: ChannelRequest): Promise<ChannelAnswer>;
  /** Makes no new requests, and ends when those under way have ended. */
  retire(): void;
  /** Ends every request. */
  close(): void;
}
