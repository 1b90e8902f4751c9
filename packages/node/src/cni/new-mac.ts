import { randomBytes } from "node:crypto";

/** A random address of one station that its owner chose itself (IEEE 802 §8.2: lowest bits 10 of the first octet), as the kernel's are. */
export function newMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
