/** Configuration files: a configuration that the speaker can take, or problems with lines; never an exception. */
import assert from "node:assert/strict";
import { Speaker, compileFilters, everythingReachable, peerConfig, speakerDefaults } from "@caracal/bgp";
import { type FuzzTarget, mutateText } from "@caracal/testbed";
import { policiesOf } from "../src/policy-book.ts";
import { formatProblem, readConfiguration } from "../src/config/read-config.ts";

const file = `routerId: 10.0.0.1
asn: 65001
listen: [{address: 127.0.0.1, port: 1179}]
control: /run/caracal/bgp.sock
neighbors:
  - {name: up, address: 10.0.0.2, asn: 4200000000, holdTimeMs: 90000, import: in, export: out}
  - address: fd00::2
    asn: 65001
    passive: true
    password: secret
    routeReflectorClient: true
    addPaths: both
    families: [ipv4, ipv6]
    gracefulRestart: 120
    nextHop: self
static:
  - {prefix: 10.1.0.0/16, nextHop: 10.0.0.9}
  - {prefix: fd01::/48, blackhole: true, communities: ["65001:1", "65001:2:3"]}
kernel: {table: 100, protocol: bird}
filters:
  in:
    rules:
      - {match: {prefixes: [10.0.0.0/8 ge 8 le 24], asPath: {pattern: "_65001_"}}, set: {localPref: 200}, action: accept}
      - {match: {nextHops: [10.0.0.0/8], communities: {any: ["65001:*"]}}, set: {nextHop: 10.0.0.7}, action: continue}
    otherwise: reject
  out: {rules: [{set: {med: 7}, action: accept}], otherwise: reject}
`;

const words = [
  "\\n",
  "\\n  ",
  "- ",
  ": ",
  "{",
  "}",
  "[",
  "]",
  "&a ",
  "*a",
  "!!binary ",
  "!!set ",
  "? ",
  "| ",
  "> ",
  "#",
  "'",
  '"',
  "null",
  "~",
  "0x10",
  "1e999",
  "-1",
  "99999999999999999999",
  "<<: ",
  "---\\n",
  "%YAML 9.9\\n",
  "\\u0000",
  "\\ud800",
  "0.0.0.0",
  "::",
  "255.255.255.255/33",
  "neighbors",
  "asn",
  "(((",
  "[^",
  "true",
  ".inf",
].map((word) => word.replaceAll("\\n", "\n"));

const reading: FuzzTarget["round"] = (dice, show) => {
  const text = mutateText(dice, file, words);
  show(text);
  const outcome = readConfiguration(text);
  if (outcome.kind === "problems") {
    assert.ok(outcome.problems.length > 0);
    const lines = text.split("\n").length;
    for (const problem of outcome.problems) {
      assert.ok(problem.line >= 1 && problem.line <= lines + 1, formatProblem("f", problem));
    }
    return;
  }
  const { routerId, asn, peers, filters, origins } = outcome.configuration;
  for (const peerType of ["iBGP", "eBGP"] as const) {
    for (const filter of filters.values()) compileFilters([filter], { direction: "export", peerType });
  }
  const ports = { resolver: everythingReachable, random: dice.next, policies: new Map() };
  const speaker = new Speaker({ ...speakerDefaults, routerId, asn }, ports);
  speaker.handle({ kind: "peers", peers: peers.map(peerConfig) }, 0);
  speaker.handle({ kind: "localRoutes", routes: origins }, 0);
  speaker.handle({ kind: "policies", policies: policiesOf(filters) }, 0);
  assert.ok(speaker.routes().length <= origins.length);
};

export const targets: readonly FuzzTarget[] = [
  { name: "speaker configuration", rounds: 500, round: reading },
];
