/**
 * Roles and the Only to Customer attribute (RFC 9234 §5): every role on the way in and out, over a speaker whose peers
 * are played by the test message by message.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AsPath, type Role } from "../src/index.ts";
import { oppositeRole, roles } from "../src/session/role.ts";
import { keepaliveBytes } from "../src/wire/message.ts";
import { type PathAttributes } from "../src/wire/path-attributes.ts";
import { WireRig, ourAsn } from "./wire-rig.ts";

/** Peer 1 has the role's opposite; 2 is external without roles, 3 internal. */
function rig(role: Role, more: { readonly saysRole?: boolean } = {}): WireRig {
  const one = new WireRig([
    { number: 1, asn: 65001, role },
    { number: 2, asn: 65002 },
    { number: 3, asn: ourAsn },
  ]);
  one.establish(1, more.saysRole === false ? {} : { role: oppositeRole(role) });
  one.establish(2);
  one.establish(3);
  return one;
}

const prefix = "10.8.0.0/16";

/** What becomes of a route of peer 1 with this mark: the mark that it has then, or its state. */
function imported(role: Role, onlyToCustomer?: number, more: { readonly saysRole?: boolean } = {}): unknown {
  const one = rig(role, more);
  one.announce(1, [prefix], onlyToCustomer === undefined ? {} : { onlyToCustomer });
  const [route] = one.speaker.routes();
  assert.ok(route !== undefined);
  assert.equal(route.best, route.state === "valid");
  assert.equal(one.speaker.peers(0)[0]?.imports.updatesRejected, route.state === "leaked" ? 1 : 0);
  return route.state === "valid" ? route.attributes.onlyToCustomer : route.state;
}

/** The mark with which peer 1 hears a route of peer `from`, or "kept back". */
function exported(role: Role, from: number, onlyToCustomer?: number): unknown {
  const one = rig(role);
  one.announce(from, [prefix], onlyToCustomer === undefined ? {} : { onlyToCustomer });
  const updates = one.takeMessages(1).flatMap((message) => (message.kind === "update" ? [message] : []));
  const [announced] = updates.flatMap((update) => update.announced);
  return announced === undefined ? "kept back" : announced.attributes.onlyToCustomer;
}

test("a route from a provider, a peer or a route server is marked with its AS", () => {
  assert.deepEqual(
    roles.map((role) => [role, imported(role)]),
    [
      ["provider", undefined],
      ["rs", undefined],
      ["rs-client", 65001],
      ["customer", 65001],
      ["peer", 65001],
    ],
  );
});

test("a mark from below, or of somebody else from a peer, is a leak; from above it stays as it is", () => {
  assert.deepEqual(
    roles.map((role) => [role, imported(role, 65001), imported(role, 7)]),
    [
      ["provider", "leaked", "leaked"],
      ["rs", "leaked", "leaked"],
      ["rs-client", 65001, 7],
      ["customer", 65001, 7],
      ["peer", 65001, "leaked"],
    ],
  );
});

test("what goes down, across or to a route server's clients is marked; what is marked goes nowhere else", () => {
  assert.deepEqual(
    roles.map((role) => [role, exported(role, 2), exported(role, 3), exported(role, 2, 7)]),
    [
      ["provider", ourAsn, ourAsn, 7],
      ["rs", ourAsn, ourAsn, 7],
      ["rs-client", undefined, undefined, "kept back"],
      ["customer", undefined, undefined, "kept back"],
      ["peer", ourAsn, ourAsn, "kept back"],
    ],
  );
});

test("our own routes are marked as well", () => {
  const one = rig("provider");
  one.local("10.1.0.0/16");
  const [update] = one
    .takeMessages(1)
    .filter((message) => message.kind === "update")
    .slice(-1);
  assert.equal(update?.announced[0]?.attributes.onlyToCustomer, ourAsn);
});

test("a mark made on import keeps the route from other neighbours that are not customers", () => {
  const one = new WireRig([
    { number: 1, asn: 65001, role: "customer" },
    { number: 2, asn: 65002, role: "peer" },
    { number: 3, asn: 65003, role: "provider" },
  ]);
  for (const number of [1, 2, 3]) one.establish(number);
  one.announce(1, [prefix]);
  assert.deepEqual(one.take(2), []);
  assert.deepEqual(one.take(3), [`${prefix} via 10.0.0.100`]);
});

test("the rules hold though the peer does not say its role, and never inside the AS", () => {
  assert.equal(imported("customer", undefined, { saysRole: false }), 65001);
  const one = new WireRig([{ number: 1, asn: ourAsn, role: "customer", strictRole: true }]);
  one.establish(1);
  one.announce(1, [prefix]);
  assert.equal(one.speaker.routes()[0]?.attributes.onlyToCustomer, undefined);
});

test("a mark passes through sessions without roles unchanged, byte for byte", () => {
  const one = rig("customer");
  one.announce(2, [prefix], { onlyToCustomer: 7 });
  const [update] = one
    .takeMessages(3)
    .filter((message) => message.kind === "update")
    .slice(-1);
  assert.equal(update?.announced[0]?.attributes.onlyToCustomer, 7);
});

test("a role that does not fit, and none in strict mode, is refused with 2.11", () => {
  const refused = (strictRole: boolean, theirs: Role | undefined): string | undefined => {
    const one = new WireRig([{ number: 1, asn: 65001, role: "customer", strictRole }]);
    one.connect(1);
    one.open(1, theirs === undefined ? {} : { role: theirs });
    one.bytes(1, keepaliveBytes);
    return one.take(1).find((line) => line.startsWith("notification")) ?? one.speaker.peers(0)[0]?.state;
  };
  assert.equal(refused(false, "customer"), "notification 2.11");
  assert.equal(refused(false, undefined), "Established");
  assert.equal(refused(true, undefined), "notification 2.11");
  assert.equal(refused(true, "provider"), "Established");
});

test("a route with a set in its path is kept aside where sets are refused, and none is ever made", () => {
  const set: Partial<PathAttributes> = {
    asPath: [
      { kind: "sequence", asns: [65002] },
      { kind: "set", asns: [7, 8] },
    ],
  };
  for (const refuseAsSets of [false, true]) {
    const one = new WireRig([
      { number: 1, asn: 65001 },
      { number: 2, asn: 65002, refuseAsSets },
    ]);
    one.establish(1);
    one.establish(2);
    one.announce(2, [prefix], set);
    assert.equal(one.speaker.routes()[0]?.state, refuseAsSets ? "filtered" : "valid");
    const [update] = one
      .takeMessages(1)
      .filter((message) => message.kind === "update")
      .slice(-1);
    const path = update?.announced[0]?.attributes.asPath;
    // Ours stands in front, in sequence.
    assert.equal(
      path === undefined ? undefined : AsPath.format(path),
      refuseAsSets ? undefined : "64512 65002 {7 8}",
    );
  }
});
