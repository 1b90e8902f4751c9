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
