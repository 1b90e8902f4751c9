/**
 * Aim: results are read and written in every version's form.
 * Method: the examples of the CNI specification, and values written, read back and compared.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import fc from "fast-check";
import { appendResult, type CniResult, emptyResult, formatResult, readResult } from "./cni-result.ts";
import { supportedVersions } from "./cni-version.ts";
import { JsonReading } from "./json-reading.ts";

function read(json: object): CniResult {
  return readResult(JsonReading.of({ ...json }));
}

function address(text: string): IpAddress {
  const parsed = IpAddress.parse(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

/** CNI 1.0.0, appendix "Examples": what the bridge plugin of the network "dbnet" returns. */
const bridgeExample = {
  ips: [{ address: "10.1.0.5/16", gateway: "10.1.0.1", interface: 2 }],
  routes: [{ dst: "0.0.0.0/0" }],
  interfaces: [
    { name: "cni0", mac: "00:11:22:33:44:55" },
    { name: "veth3243", mac: "55:44:33:22:11:11" },
    { name: "eth0", mac: "99:88:77:66:55:44", sandbox: "/var/run/netns/blue" },
  ],
  dns: { nameservers: ["10.1.0.1"] },
};

describe("the specification's examples", () => {
  it("the bridge plugin's result comes back as it was", () => {
    const written: unknown = JSON.parse(formatResult(read(bridgeExample), "1.0.0"));
    assert.deepEqual(written, { cniVersion: "1.0.0", ...bridgeExample });
  });

  it("before 1.0.0 each address names its family", () => {
    const written = JSON.parse(formatResult(read(bridgeExample), "0.4.0"));
    assert.equal(written.ips[0].version, "4");
    assert.deepEqual(read(written), read(bridgeExample));
  });

  it("host-local's result, which has no interfaces, keeps none", () => {
    const example = {
      ips: [{ address: "10.1.0.5/16", gateway: "10.1.0.1" }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: {},
    };
    const written: unknown = JSON.parse(formatResult(read(example), "1.0.0"));
    assert.deepEqual(written, { cniVersion: "1.0.0", ...example });
  });

  it("0.2.0 has one address a family, with its own routes", () => {
    const example = {
      ip4: { ip: "10.0.0.5/24", gateway: "10.0.0.1", routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }] },
      ip6: { ip: "fd00::5/64", routes: [{ dst: "::/0" }] },
    };
    const written: unknown = JSON.parse(formatResult(read(example), "0.2.0"));
    assert.deepEqual(written, { cniVersion: "0.2.0", ...example, dns: {} });
  });

  it("only 1.0.0 and later tell an interface's MTU", () => {
    const made: CniResult = { ...emptyResult, interfaces: [{ name: "eth0", mtu: 1450 }] };
    for (const version of ["1.0.0", "1.1.0"] as const)
      assert.deepEqual(JSON.parse(formatResult(made, version)).interfaces, [{ name: "eth0", mtu: 1450 }]);
    assert.deepEqual(JSON.parse(formatResult(made, "0.4.0")).interfaces, [{ name: "eth0" }]);
  });
});

describe("any result", () => {
  const ips = fc.oneof(
    fc.record({ address: fc.nat().map(Ipv4.of), prefixLength: fc.nat(32), interface: fc.constantFrom(0, 1) }),
    fc.record({ address: fc.bigInt(0n, (1n << 128n) - 1n).map(Ipv6.of), prefixLength: fc.nat(128) }),
  );
  const results: fc.Arbitrary<CniResult> = fc.record({
    interfaces: fc.array(
      fc.record({ name: fc.constantFrom("eth0", "cali0"), mac: fc.constant("02:00:00:00:00:01") }),
      { minLength: 2 },
    ),
    ips: fc.array(ips),
    routes: fc.array(ips.map((ip) => ({ destination: Prefix.of(ip.address, ip.prefixLength) }))),
    dns: fc.constant({}),
  });

  it("is the same after it was written and read, in the versions with lists", () => {
    fc.assert(
      fc.property(results, fc.constantFrom(...supportedVersions.slice(2)), (made, version) => {
        assert.deepEqual(read(JSON.parse(formatResult(made, version))), structuredClone(made));
      }),
    );
  });

  it("appended to another keeps the interface of each address", () => {
    fc.assert(
      fc.property(results, results, (earlier, later) => {
        const both = appendResult(earlier, later);
        const nameOf = (of: CniResult, index: number): unknown =>
          of.interfaces[of.ips[index]?.interface ?? Number.NaN];
        for (const index of later.ips.keys()) {
          assert.equal(nameOf(both, earlier.ips.length + index), nameOf(later, index));
        }
      }),
    );
  });
});

describe("a result that another plugin got wrong", () => {
  for (const [what, json] of [
    ["an address that is none", { ips: [{ address: "10.0.0.300/24" }] }],
    ["an address without a place", { ips: [{ interface: 0 }] }],
    [
      "an interface that it has not",
      { interfaces: [{ name: "a" }], ips: [{ address: "10.0.0.3/24", interface: 1 }] },
    ],
    ["a gateway that is none", { ips: [{ address: "10.0.0.3/24", gateway: "x" }] }],
    ["a route to nowhere", { routes: [{}] }],
    ["lists that are none", { ips: {} }],
  ] as const) {
    it(`${what} is refused by name`, () => assert.throws(() => read(json), { name: "CniError" }));
  }

  it("a sandbox and a gateway survive", () => {
    const made = read({
      interfaces: [{ name: "a", sandbox: "/x" }],
      ips: [{ address: "10.0.0.2/24", gateway: "10.0.0.1" }],
    });
    assert.deepEqual(made.interfaces, [{ name: "a", sandbox: "/x" }]);
    assert.equal(made.ips[0]?.gateway, address("10.0.0.1"));
  });
});
