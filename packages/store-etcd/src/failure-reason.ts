/** Errors of a connection, in a person's words. */
const systemErrors: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ENOENT: "no such socket",
  ENOTFOUND: "no such host",
  ENOTSOCK: "not a socket",
  EPIPE: "connection closed",
  ETIMEDOUT: "connection timed out",
};

const foreign = "its certificate is not of the authority given (ETCD_CA_CERT_FILE)";

/** Errors of TLS, by Node's codes for them. */
const tlsErrors: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: foreign,
  ERR_OSSL_PEM_NO_START_LINE: "a certificate or key that was given is no PEM text",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS there",
  SELF_SIGNED_CERT_IN_CHAIN: foreign,
  UNABLE_TO_GET_ISSUER_CERT: foreign,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: foreign,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: foreign,
};

/** Why a connection was not made: TLS in a person's words, and what else the system says. */
export function connectionReason(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // RFC 8446 §6.2: bad_certificate, certificate_required, unknown_ca and their like.
  if (/ALERT.*(CERTIFICATE|UNKNOWN_CA)/.test(code)) {
    return "it wants a client certificate that it knows (ETCD_CERT_FILE, ETCD_KEY_FILE)";
  }
  return tlsErrors[code] ?? String(error);
}

/**
 * Why a call failed, in one clause. gRPC wraps the reason of a connection that fails in words about itself, such as
 * `No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:2379. Resolution note: `.
 */
export function failureReason(details: string): string {
  // etcd's NOSPACE: its operator's quota, or the embedded store's disk.
  if (details.includes("database space exceeded")) return "the store has no room left to write to";
  const [, last = details] =
    /^No connection established\. Last error: (.*?)\.?(?:\s*Resolution note:.*)?$/s.exec(details) ?? [];
  const [, code = ""] = /\b(E[A-Z]{3,})\b/.exec(last) ?? [];
  const known = last === details ? undefined : systemErrors[code];
  if (known !== undefined) return known;
  if (last.startsWith("Name resolution failed")) return "no such host";
  const bare = last.replace(/^(?:[A-Za-z]*Error(?: \[\w+\])?: )+/, "");
  if (/^(Protocol error|Invalid HTTP\/2)/i.test(bare)) return "it does not speak etcd's protocol";
  if (last.startsWith("Deadline exceeded")) return "no answer in time";
  const [, size, most] = /larger than max \((\d+) vs\. (\d+)\)$/.exec(last) ?? [];
  if (size !== undefined) return `a request of ${size} bytes is too large: at most ${most} are taken`;
  return bare
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, "")
    .replaceAll(/\s*\n\s*/g, " ")
    .trim();
}
