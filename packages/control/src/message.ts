import { ControlCode } from "./control-error.ts";
import { MAX_LINE_BYTES } from "./line-splitter.ts";

/** A request read from a line. */
export interface Request {
  readonly id: RequestId;
  readonly method: string;
  readonly params: unknown;
}

/** Chosen by the client, given back as it came. */
export type RequestId = number | string;

/** Why a request failed, as it travels. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** A response read from a line; the `id` is `null` when the server could not read the request. */
export type Response =
  | { readonly kind: "result"; readonly id: RequestId | null; readonly result: unknown }
  | { readonly kind: "error"; readonly id: RequestId | null; readonly error: Failure };

/** A line that is no request: the failure to answer with, under its id if it has one. */
export interface Unreadable {
  readonly id: RequestId | null;
  readonly error: Failure;
}

export function readRequest(line: string): Request | Unreadable {
  const value = parseObject(line);
  if (value === undefined) return unreadable(null, "the line is no JSON object");
  const { id, method, params } = value;
  if (!isRequestId(id)) return unreadable(null, "the request has no id: a number or a string");
  if (typeof method !== "string") return unreadable(id, "the request has no method: a string");
  return { id, method, params };
}

export function readResponse(line: string): Response | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const id = isRequestId(value["id"]) ? value["id"] : null;
  const { error } = value;
  if (error === undefined) return { kind: "result", id, result: value["result"] };
  if (!isObject(error) || typeof error["code"] !== "string") return undefined;
  return { kind: "error", id, error: { code: error["code"], message: String(error["message"]) } };
}

export function writeRequest(request: Request): string | undefined {
  return writeLine(request);
}

/** The line of a result; one that is too long, or is no JSON, becomes an error. */
export function writeResult(id: RequestId, result: unknown): string {
  try {
    const line = writeLine({ id, result: result ?? null });
    if (line !== undefined) return line;
    const message = `the result is longer than ${MAX_LINE_BYTES} bytes`;
    return writeFailure(id, { code: ControlCode.tooLarge, message });
  } catch (cause) {
    return writeFailure(id, {
      code: ControlCode.internal,
      message: `the result is no JSON: ${String(cause)}`,
    });
  }
}

const MAX_MESSAGE_CHARS = 64 * 1024;

export function writeFailure(id: RequestId | null, failure: Failure): string {
  const message = failure.message.slice(0, MAX_MESSAGE_CHARS);
  return `${JSON.stringify({ id, error: { code: failure.code, message } })}\n`;
}

function writeLine(value: unknown): string | undefined {
  const line = JSON.stringify(value);
  return Buffer.byteLength(line) > MAX_LINE_BYTES ? undefined : `${line}\n`;
}

function unreadable(id: RequestId | null, message: string): Unreadable {
  return { id, error: { code: ControlCode.malformed, message } };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRequestId(value: unknown): value is RequestId {
  // JSON reads 1e999 as infinity, which it could not give back.
  return Number.isFinite(value) || typeof value === "string";
}
