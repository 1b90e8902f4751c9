import { createHash } from "node:crypto";
import type { AffinityOwner } from "@caracal/datastore";
import { Prefix } from "@caracal/net";

/** Kubernetes' bound for names (RFC 1123). */
const maxNameLength = 253;
/** Of the hash that keeps shortened names apart. */
const hashDigits = 11;

/** A block's name: its prefix with `-` for `.`, `:` and `/`. */
export function blockName(cidr: Prefix): string {
  return Prefix.format(cidr).replaceAll(/[.:/]/g, "-");
}

/** The name of a node's claim on a block. Calico shortens one that is too long and tells it apart by a hash. */
export function affinityName(host: string, cidr: Prefix): string {
  const block = blockName(cidr);
  const name = `${host}-${block}`;
  if (name.length < maxNameLength) return name;
  const kept = host.slice(0, maxNameLength - 1 - block.length - (hashDigits + 2));
  const hash = createHash("sha256").update(`${host}+${block}`).digest("hex").slice(0, hashDigits);
  return `${kept}-${block}-${hash}`;
}

/** By which newer Calico finds a node's claims. A node's name may be longer than a label, so it is hashed. */
export function affinityLabels(
  { kind, name }: AffinityOwner,
  cidr: Prefix,
): Readonly<Record<string, string>> {
  return {
    "projectcalico.org/affinity-type": kind,
    "projectcalico.org/hostname-hash": base32(createHash("sha3-256").update(name).digest()),
    "projectcalico.org/ip-version": String(cidr.family),
  };
}

/** RFC 4648 §6, without padding. */
function base32(bytes: Uint8Array): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let text = "";
  let held = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bitCount += 8;
    for (; bitCount >= 5; bitCount -= 5) text += alphabet[(held >> (bitCount - 5)) & 31] ?? "";
  }
  return bitCount === 0 ? text : text + (alphabet[(held << (5 - bitCount)) & 31] ?? "");
}
