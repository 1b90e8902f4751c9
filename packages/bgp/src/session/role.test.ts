/** Roles (RFC 9234 §4.2): every pair of them, what is not said, and what is said twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError } from "@caracal/net";
import { type Capability } from "../wire/capability.ts";
import { type Role, checkRoles, oppositeRole, roleCapability, roles } from "./role.ts";

function outcome(role: Role | undefined, said: readonly Capability[], strictRole = false): string {
  try {
    return checkRoles({ role, strictRole }, said) ?? "none";
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code}.${error.subcode}`;
    throw error;
  }
}

test("each role goes with its opposite alone", () => {
  const pairs = roles.flatMap((ours) =>
    roles.filter((theirs) => outcome(ours, [roleCapability(theirs)]) === theirs).map((one) => [ours, one]),
  );
  assert.deepEqual(pairs, [
    ["provider", "customer"],
    ["rs", "rs-client"],
    ["rs-client", "rs"],
    ["customer", "provider"],
    ["peer", "peer"],
  ]);
  for (const role of roles) {
    assert.equal(oppositeRole(oppositeRole(role)), role);
    assert.equal(outcome(role, [roleCapability(role)]), role === "peer" ? "peer" : "2.11");
  }
});

test("a role that is not said is asked for in strict mode only", () => {
  assert.equal(outcome("customer", []), "none");
  assert.equal(outcome("customer", [], true), "2.11");
  assert.equal(outcome("customer", [roleCapability("provider")], true), "provider");
});

test("without a role of our own any is taken", () => {
  assert.equal(outcome(undefined, [roleCapability("rs")]), "rs");
  assert.equal(outcome(undefined, []), "none");
});

test("one role said twice is one; two are refused, and so is one that nobody knows", () => {
  const provider = roleCapability("provider");
  assert.equal(outcome("customer", [provider, provider]), "provider");
  assert.equal(outcome("customer", [provider, roleCapability("peer")]), "2.11");
  assert.equal(outcome("customer", [provider, { kind: "role", role: 200 }]), "2.11");
  assert.equal(outcome("customer", [{ kind: "role", role: 200 }]), "2.11");
});
