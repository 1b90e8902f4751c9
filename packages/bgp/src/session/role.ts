import { DecodeError } from "@caracal/net";
import { ErrorCode, OpenError } from "../iana.ts";
import { type Capability } from "../wire/capability.ts";

/** What one end of an external session is to the other (RFC 9234 §4); "rs" is a route server. */
export type Role = "provider" | "rs" | "rs-client" | "customer" | "peer";

/** RFC 9234 §4.1: the values of the capability. */
const codes: Readonly<Record<Role, number>> = { provider: 0, rs: 1, "rs-client": 2, customer: 3, peer: 4 };

const opposites: Readonly<Record<Role, Role>> = {
  provider: "customer",
  customer: "provider",
  rs: "rs-client",
  "rs-client": "rs",
  peer: "peer",
};

/** All roles, in the order of their codes. */
export const roles: readonly Role[] = ["provider", "rs", "rs-client", "customer", "peer"];

/** What the other end must be. */
export function oppositeRole(role: Role): Role {
  return opposites[role];
}

export function roleCapability(role: Role): Capability {
  return { kind: "role", role: codes[role] };
}

/** What a peer is, by what it says; a role that does not fit ours throws (RFC 9234 §4.2). */
export function checkRoles(
  ours: { readonly role?: Role | undefined; readonly strictRole?: boolean },
  capabilities: readonly Capability[],
): Role | undefined {
  const said = new Set(capabilities.flatMap((one) => (one.kind === "role" ? [one.role] : [])));
  const theirs = roles.find((role) => said.has(codes[role]));
  if (ours.role === undefined) return theirs;
  if (said.size === 0) {
    if (ours.strictRole !== true) return undefined;
    throw mismatch(`the peer says no role, we are its ${ours.role}`);
  }
  // RFC 9234 §4.2: the same role several times is one; several roles are none.
  if (said.size > 1) throw mismatch("the peer says more than one role");
  if (theirs !== opposites[ours.role]) {
    throw mismatch(`the peer is ${theirs ?? "of an unknown role"}, we are its ${ours.role}`);
  }
  return theirs;
}

function mismatch(what: string): DecodeError {
  const blame = { code: ErrorCode.openMessage, subcode: OpenError.roleMismatch, action: "reset" } as const;
  return new DecodeError(what, blame, 0);
}
