/**
 * Aim: from any state the plan leads to what is wanted in one go, and then to nothing more to do; what is others' stays.
 * Method: states and wishes by chance, carried out on a model of the kernel's traffic control.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Link, Qdisc, Redirect } from "@caracal/netlink";
import { planShaping, type ShapedInterface } from "./plan-shaping.ts";
import { shapingHandle, type ShapingOperation, type ShapingState } from "./shaping-kernel.ts";

const names = ["cali00000000001", "cali00000000002", "cali00000000003", "eth0"] as const;
const foreignHandle = 0x1_0000;

/** The state that a step leads to. */
function take(state: ShapingState, step: ShapingOperation): ShapingState {
  const index = (name: string) => state.links.find((link) => link.name === name)?.index ?? assert.fail(name);
  const without = (place: string, at: number) =>
    state.qdiscs.filter((one) => one.interfaceIndex !== at || one.place !== place);
  const tbf = (
    at: number,
    { bytesPerSecond, limitBytes }: { bytesPerSecond: number; limitBytes: number },
  ): Qdisc => ({
    interfaceIndex: at,
    place: "root",
    handle: shapingHandle,
    kind: "tbf",
    tokenBucket: { bytesPerSecond, limitBytes },
  });
  switch (step.kind) {
    case "shape": {
      const at = index(step.interfaceName);
      return { ...state, qdiscs: [...without("root", at), tbf(at, step.bucket)] };
    }
    case "unshape":
      return { ...state, qdiscs: without("root", index(step.interfaceName)) };
    case "receive-through": {
      const at = index(step.interfaceName);
      const known = state.links.find(({ name }) => name === step.deviceName);
      const device = known ?? newLink(step.deviceName, 100 + at, "ifb");
      const ingress: Qdisc = { interfaceIndex: at, place: "ingress", handle: 0xffff_0000, kind: "ingress" };
      const rest = state.qdiscs.filter(
        (one) =>
          one.interfaceIndex !== device.index && (one.interfaceIndex !== at || one.place !== "ingress"),
      );
      return {
        links: known === undefined ? [...state.links, device] : state.links,
        qdiscs: [...rest, ingress, tbf(device.index, step.bucket)],
        redirects: [
          ...state.redirects.filter(({ interfaceIndex }) => interfaceIndex !== at),
          { interfaceIndex: at, toInterfaceIndex: device.index },
        ],
      };
    }
    case "receive-plainly": {
      const at = index(step.interfaceName);
      const redirects = state.redirects.filter(({ interfaceIndex }) => interfaceIndex !== at);
      return { ...state, qdiscs: without("ingress", at), redirects };
    }
    default: {
      const at = index(step.deviceName);
      return {
        links: state.links.filter((link) => link.index !== at),
        qdiscs: state.qdiscs.filter(({ interfaceIndex }) => interfaceIndex !== at),
        redirects: state.redirects,
      };
    }
  }
}

function newLink(name: string, index: number, kind = "veth"): Link {
  return { name, index, kind, mtu: 1500, flags: 1, operState: 6 };
}

const limit = fc.record({
  bytesPerSecond: fc.integer({ min: 1, max: 1e9 }),
  burstBytes: fc.integer({ min: 1, max: 1e9 }),
});
const wish = fc
  .uniqueArray(
    fc.record(
      {
        name: fc.constantFrom("cali00000000001", "cali00000000002", "cali0000000gone"),
        ingress: limit,
        egress: limit,
      },
      { requiredKeys: ["name"] },
    ),
    { selector: ({ name }) => name },
  )
  .map((wishes): readonly ShapedInterface[] => wishes);

const foreignQdiscs: fc.Arbitrary<readonly Qdisc[]> = fc
  .subarray(names.map((_name, at) => at + 1))
  .map((indexes) =>
    indexes.map((interfaceIndex) => ({ interfaceIndex, place: "root", handle: foreignHandle, kind: "tbf" })),
  );

test("one plan leads to what is wanted, whatever was wanted before", () => {
  fc.assert(
    fc.property(fc.array(wish, { minLength: 1, maxLength: 5 }), foreignQdiscs, (wishes, foreign) => {
      let state: ShapingState = {
        links: names.map((name, at) => newLink(name, at + 1)),
        qdiscs: foreign,
        redirects: [],
      };
      for (const wanted of wishes) {
        const plan = planShaping(wanted, state);
        state = plan.operations.reduce(take, state);
        assert.deepEqual(planShaping(wanted, state).operations, [], "a second look finds nothing to do");
        for (const qdisc of foreign) assert.ok(state.qdiscs.includes(qdisc), "what is others' stays");
        for (const { name, ingress } of wanted) {
          const link = state.links.find((one) => one.name === name);
          if (link === undefined || ingress === undefined) continue;
          const root = state.qdiscs.find((one) => one.interfaceIndex === link.index && one.place === "root");
          const isForeign = foreign.some(({ interfaceIndex }) => interfaceIndex === link.index);
          assert.equal(plan.foreign.includes(name), isForeign);
          if (!isForeign) assert.equal(root?.tokenBucket?.bytesPerSecond, ingress.bytesPerSecond);
        }
      }
      state = planShaping([], state).operations.reduce(take, state);
      assert.deepEqual(state.qdiscs, foreign);
      assert.deepEqual(
        state.links.map(({ name }) => name),
        [...names],
      );
    }),
  );
});

test("a redirection to another's device is left to its owner, one to a device that is gone is ours to renew", () => {
  const links = [newLink("cali00000000001", 1), newLink("ifb0", 2, "ifb")];
  const ingress: Qdisc = { interfaceIndex: 1, place: "ingress", handle: 0xffff_0000, kind: "ingress" };
  const to = (toInterfaceIndex: number): readonly Redirect[] => [{ interfaceIndex: 1, toInterfaceIndex }];
  const wanted = [{ name: "cali00000000001", egress: { bytesPerSecond: 1000, burstBytes: 1 } }];
  const others = planShaping(wanted, { links, qdiscs: [ingress], redirects: to(2) });
  assert.deepEqual(others, { operations: [], foreign: ["cali00000000001"] });
  const [step] = planShaping(wanted, { links, qdiscs: [ingress], redirects: to(77) }).operations;
  assert.equal(step?.kind, "receive-through");
  assert.equal(step.deviceName, "bwp00000000001");
  assert.ok(step.bucket.burstBytes > 1500, "a bucket holds a packet at least");
});
