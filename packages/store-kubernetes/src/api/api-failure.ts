import { StoreError } from "@caracal/datastore";
import { fields, text } from "./json-fields.ts";

/** Errors of a connection, in a person's words. */
const reasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed: name its authority (certificate-authority)",
  EACCES: "permission denied",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host's name cannot be looked up",
  EPIPE: "connection closed",
  ERR_HTTP2_GOAWAY_SESSION: "the server is about to close the connection",
  ERR_HTTP2_STREAM_CANCEL: "the connection was closed",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name: see tls-server-name",
  ETIMEDOUT: "no answer in time",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not of the authority given (certificate-authority)",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not of the authority given (certificate-authority)",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not of the authority given (certificate-authority)",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS there",
  HPE_INVALID_CONSTANT: "it does not speak HTTP there",
};

/** Errors of requests that were never sent. */
const unsent: ReadonlySet<string> = new Set(["ERR_HTTP2_GOAWAY_SESSION", "ERR_HTTP2_INVALID_SESSION"]);

/** The `StoreError` of a request that got no answer. */
export function connectionFailure(error: unknown, where: string): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("unavailable", `${where}: ${reasonOf(error)}`, { cause: error });
}

/** Why a connection failed, in a person's words. */
export function reasonOf(error: unknown): string {
  const said = error instanceof Error ? firstLine(error.message) : String(error);
  return reasons[codeOf(error)] ?? said;
}

/** Whether the server has not begun with the request (RFC 9113 §8.7), so that even a write may be sent again. */
export function isUnsent(error: unknown): boolean {
  const isRefused = error instanceof Error && error.message.includes("NGHTTP2_REFUSED_STREAM");
  return isRefused || unsent.has(codeOf(error));
}

/** What the server says of a request that it refused: the message of its Status, or the text. */
export function refusalText(document: unknown, body: string): string {
  return text(fields(document)["message"]) ?? (firstLine(body).slice(0, 200) || "no reason given");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function firstLine(message: string): string {
  return message.trim().split("\n", 1)[0] ?? "";
}
