/** Address detection by every method, on hosts given as data. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import { detectAddress, parseDetectionMethod } from "./autodetect.ts";
import type { HostInterface } from "./host-interface.ts";

function link(name: string, isUp: boolean, ...addresses: readonly string[]): HostInterface {
  return {
    name,
    isUp,
    addresses: addresses.map((text) => {
      const parsed = Prefix.parseInterface(text);
      assert.ok(parsed !== undefined, text);
      return parsed;
    }),
  };
}

const host: readonly HostInterface[] = [
  link("lo", true, "127.0.0.1/8", "::1/128"),
  link("docker0", true, "172.17.0.1/16"),
  link("eth1", false, "192.0.2.9/24"),
  link("eth0", true, "169.254.9.9/16", "172.18.0.3/16", "fe80::1/64", "fc00:f853::3/64"),
  link("ens5", true, "10.0.0.23/24"),
  link("cali12345678901", true, "10.9.9.9/32"),
];

async function detect(methodText: string, family: 4 | 6 = 4): Promise<string | undefined> {
  const method = parseDetectionMethod(methodText);
  assert.ok(typeof method !== "string", String(method));
  const found = await detectAddress(
    method,
    family,
    { interfaces: () => host, sourceTowards: async () => IpAddress.parse("10.0.0.23") },
    {
      internalAddresses: ["203.0.113.7", "10.0.0.23", "fc00:f853::3"].flatMap(
        (text) => IpAddress.parse(text) ?? [],
      ),
    },
  );
  if (found === undefined) return undefined;
  return `${IpAddress.format(found.address)}/${found.network.length} ${found.interfaceName}`;
}

test("first-found skips lo, docker, link-local addresses and links that are down", async () => {
  assert.equal(await detect("first-found"), "172.18.0.3/16 eth0");
  assert.equal(await detect("first-found", 6), "fc00:f853::3/64 eth0");
});

test("interface patterns are tried in their order and know no exclusions", async () => {
  assert.equal(await detect("interface=ens.*,eth.*"), "10.0.0.23/24 ens5");
  assert.equal(await detect("interface=docker0"), "172.17.0.1/16 docker0");
  assert.equal(await detect("interface=wlan.*"), undefined);
});

test("skip-interface adds to the exclusions", async () => {
  assert.equal(await detect("skip-interface=eth.*"), "10.0.0.23/24 ens5");
});

test("cidr takes the address inside one of the networks", async () => {
  assert.equal(await detect("cidr=10.0.0.0/8"), "10.0.0.23/24 ens5");
  assert.equal(await detect("cidr=203.0.113.0/24"), undefined);
});

test("a CIDR may be written by one of its addresses", async () => {
  assert.equal(await detect("cidr=10.0.0.1/8"), "10.0.0.23/24 ens5");
});

test("Kubernetes' address of the node has its interface's prefix length", async () => {
  assert.equal(await detect("kubernetes-internal-ip"), "10.0.0.23/24 ens5");
  assert.equal(await detect("kubernetes-internal-ip", 6), "fc00:f853::3/64 eth0");
});

test("can-reach takes the source address of the route", async () => {
  assert.equal(await detect("can-reach=8.8.8.8"), "10.0.0.23/24 ens5");
});

test("a wrong method is told with what is allowed", () => {
  assert.match(String(parseDetectionMethod("first")), /unknown method 'first': use first-found/);
  assert.match(String(parseDetectionMethod("cidr=10.0.0.1/33")), /'10.0.0.1\/33' is not a CIDR/);
  assert.match(String(parseDetectionMethod("interface=")), /at least one pattern/);
  assert.match(String(parseDetectionMethod("interface=(")), /not a regular expression/);
});
