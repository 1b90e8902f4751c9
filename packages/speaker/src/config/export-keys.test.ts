/**
 * Aim: the keys about what is told to whom reach the core, and wrong ones are told word for word. Method: as in
 * read-config.test.ts, one line of YAML at a time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem, readConfiguration, type SpeakerConfiguration } from "./read-config.ts";

const head = "routerId: 10.0.0.1\nasn: 65001\n";

function configuration(text: string): SpeakerConfiguration {
  const outcome = readConfiguration(`${head}${text}`);
  if (outcome.kind !== "ok") throw new Error(outcome.problems.map((one) => one.message).join("\n"));
  return outcome.configuration;
}

function peer(keys: string, around = ""): object {
  return { ...configuration(`${around}neighbors:\n  - {address: 10.0.0.2, asn: 65002, ${keys}}\n`).peers[0] };
}

function problems(text: string): readonly string[] {
  const outcome = readConfiguration(`${head}${text}`);
  return outcome.kind === "ok" ? [] : outcome.problems.map((problem) => formatProblem("f", problem));
}

function neighborProblems(keys: string): readonly string[] {
  return problems(`neighbors:\n  - {address: 10.0.0.2, asn: 65002, ${keys}}\n`);
}

test("each key is a setting of the core's", () => {
  const removal = (which: string, replaces: boolean): object => ({ removePrivateAs: { which, replaces } });
  const rows: readonly (readonly [keys: string, settings: object])[] = [
    ["localAsn: 100, localAsnMode: prepend", { localAsn: 100, localAsnMode: "prepend" }],
    ["localAsn: 100, localAsnMode: no-prepend", { localAsnMode: "no-prepend" }],
    ["allowOwnAs: 2", { allowLocalAs: 2 }],
    ["removePrivateAs: all", removal("all", false)],
    ["removePrivateAs: leading", removal("leading", false)],
    ["removePrivateAs: all-replace", removal("all", true)],
    ["removePrivateAs: leading-replace", removal("leading", true)],
    ["gracefulShutdown: true", { gracefulShutdown: true }],
    ["blackhole: true", { blackhole: true }],
    ["advertisementIntervalMs: 30000", { advertisementIntervalMs: 30_000 }],
    ["addPaths: {send: all}", { addPathSend: true, addPathReceive: false }],
    ["addPaths: {send: 3, receive: true}", { addPathSend: true, addPathReceive: true, addPathLimit: 3 }],
    ["addPaths: {send: best}", { addPathSend: true, addPathLimit: 1 }],
    ["addPaths: {receive: true}", { addPathSend: false, addPathReceive: true }],
    ["extendedNextHop: true", { extendedNextHop: true }],
  ];
  for (const [keys, settings] of rows) assert.partialDeepStrictEqual(peer(keys), settings, keys);
  assert.partialDeepStrictEqual(peer("", "requirePolicy: true\n"), { requirePolicy: true });
  const names = ["removePrivateAs", "gracefulShutdown", "blackhole", "requirePolicy", "localAsnMode"];
  const plain = peer("removePrivateAs: none, gracefulShutdown: false, blackhole: false");
  assert.deepEqual(
    names.filter((name) => name in plain),
    [],
    "left to the core",
  );
});

test("how ties are broken and how many routes share the traffic", () => {
  assert.deepEqual(configuration("").bestPath, {});
  assert.deepEqual(configuration("bestPath: {alwaysCompareMed: true}\n").bestPath, {
    alwaysCompareMed: true,
    missingMedWorst: false,
  });
  assert.deepEqual(configuration("multipath: {ebgp: 4, ibgp: 1, asPath: same}\n").bestPath, {
    multipath: { external: 4, internal: 1, sameAsPath: true },
  });
  assert.deepEqual(problems("multipath: {ebgp: 0, asPath: relax}\n"), [
    'f:3: multipath.ebgp: expected a number of routes from 1 to 1024, found "0"',
    'f:3: multipath.asPath: expected any or same, found "relax"',
  ]);
});

test("monitoring stations", () => {
  const [station] = configuration(
    "bmp: [{address: 10.0.0.9, port: 1790, sourceAddress: 10.0.0.1}]\n",
  ).stations;
  assert.deepEqual(station, { address: 0x0a000009, port: 1790, sourceAddress: 0x0a000001 });
  assert.deepEqual(
    problems(
      'bmp: [{address: 10.0.0.9}, {address: "::1", port: 1, sourceAddress: 10.0.0.1}, {address: "::1", port: 1}]\n',
    ),
    [
      "f:3: bmp[0]: the key port is missing",
      "f:3: bmp[1].sourceAddress: expected an IPv6 address, as the station has one",
      "f:3: bmp[2]: ::1 port 1 is there already, in line 3",
    ],
  );
});

test("filters may ask for the link that leads to a next hop, where the kernel is asked for it", () => {
  const filters =
    "filters: {f: {rules: [{match: {interfaces: [eth*]}, action: accept}], otherwise: reject}}\n";
  const needsKernel =
    "f:3: filters.f.rules[0].match.interfaces: needs kernel: {…}, as links are looked up in the kernel's tables";
  assert.deepEqual(configuration(`kernel: {}\n${filters}`).filters.get("f")?.rules[0]?.match, {
    interfaces: ["eth*"],
  });
  assert.deepEqual(problems(filters), [needsKernel]);
  assert.deepEqual(problems(`${filters}kernel: false\n`), [needsKernel]);
  assert.deepEqual(problems(`kernel: {}\n${filters.replace("eth*", "eth/0")}`), [
    'f:4: filters.f.rules[0].match.interfaces[0]: expected an interface name, `*` and `?` allowed, found "eth/0"',
  ]);
});

test("wrong values are told with what was expected", () => {
  assert.deepEqual(neighborProblems("localAsnMode: prepend"), [
    "f:4: neighbors[0].localAsnMode: expected localAsn beside it",
  ]);
  assert.deepEqual(neighborProblems("localAsn: 1, localAsnMode: replace"), [
    'f:4: neighbors[0].localAsnMode: expected replace-as, no-prepend or prepend, found "replace"',
  ]);
  assert.deepEqual(neighborProblems("removePrivateAs: true"), [
    'f:4: neighbors[0].removePrivateAs: expected none, all, leading, all-replace or leading-replace, found "true"',
  ]);
  assert.deepEqual(neighborProblems("addPaths: {send: 0, recieve: true}"), [
    "f:4: neighbors[0].addPaths.recieve: there is no such key; did you mean receive?",
    'f:4: neighbors[0].addPaths.send: expected none, best, all or a number of paths from 1 to 255, found "0"',
  ]);
  assert.deepEqual(neighborProblems("advertisementIntervalMs: 30s"), [
    'f:4: neighbors[0].advertisementIntervalMs: expected milliseconds from 0 to 600000, found "30s"',
  ]);
  assert.deepEqual(neighborProblems("allowOwnAs: 11"), [
    'f:4: neighbors[0].allowOwnAs: expected a number from 0 to 10, found "11"',
  ]);
  assert.deepEqual(problems("requirePolicy: no\n"), [
    'f:3: requirePolicy: expected true or false, found "no"',
  ]);
});
