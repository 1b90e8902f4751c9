/** Aim: the rule that refused a route is named as people count, wherever the filter stands. Method: one file, routes by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyRoute } from "@caracal/bgp";
import { IpAddress, Prefix } from "@caracal/net";
import { readConfiguration } from "../config/read-config.ts";
import { filterReason } from "./filter-reason.ts";

const outcome = readConfiguration(`
routerId: 10.0.0.1
asn: 65001
kernel: {table: 100}
neighbors:
  - {name: edge, address: 10.0.0.2, asn: 65002, import: in, export: out}
  - {name: rack, prefix: 10.9.0.0/16, asn: 65009, import: in}
  - {name: open, address: 10.0.0.3, asn: 65003}
filters:
  in:
    rules:
      - {match: {prefixes: [10.1.0.0/16+]}, set: {localPref: 7}, action: continue}
      - {name: bogons, match: {prefixes: [10.0.0.0/8+]}, action: reject}
      - {match: {interfaces: [eth*]}, action: reject}
    otherwise: accept
  out: {rules: [], otherwise: reject}
`);

function reason(
  neighbor: string,
  direction: "import" | "export",
  prefix: string,
  link = "",
): string | undefined {
  assert.ok(outcome.kind === "ok", JSON.stringify(outcome));
  const [parsed, nextHop] = [Prefix.parse(prefix), IpAddress.parse("10.0.0.2")];
  assert.ok(parsed !== undefined && nextHop !== undefined);
  const route: PolicyRoute = {
    prefix: parsed,
    attributes: { origin: 0, asPath: [], nextHop },
    source: { kind: "peer", name: neighbor, external: true },
  };
  return filterReason(outcome.configuration, neighbor, direction, route, () => link);
}

test("the rule, with its name if it has one, or that none decided", () => {
  assert.equal(reason("edge", "import", "10.1.0.0/24"), "filter in, rule 2 (bogons)");
  assert.equal(reason("edge", "import", "192.0.2.0/24", "eth0"), "filter in, rule 3");
  assert.equal(reason("edge", "import", "192.0.2.0/24", "lo"), undefined, "accepted");
  assert.equal(reason("edge", "export", "10.1.0.0/24"), "filter out, otherwise");
  assert.equal(reason("rack@10.9.0.1", "import", "10.1.0.0/24"), "filter in, rule 2 (bogons)");
  assert.equal(reason("open", "import", "10.1.0.0/24"), undefined, "no filter");
});
