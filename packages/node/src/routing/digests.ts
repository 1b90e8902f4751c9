import { createHash } from "node:crypto";

/** SHA-256 of a text's UTF-8. */
export function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** SHA-1 of a text's UTF-8, for what Calico names by it. */
export function sha1(text: string): Uint8Array {
  return createHash("sha1").update(text).digest();
}
