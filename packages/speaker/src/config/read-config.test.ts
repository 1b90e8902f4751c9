/**
 * Aim: a configuration file means what it says, and a wrong one is told whole: line, key, what was expected. Method: a corpus
 * of files with every message they cause, word for word.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Prefix } from "@caracal/net";
import { formatProblem, readConfiguration, type SpeakerConfiguration } from "./read-config.ts";

const head = "routerId: 10.0.0.1\nasn: 65001\n";

function problems(text: string): readonly string[] {
  const outcome = readConfiguration(text);
  return outcome.kind === "ok" ? [] : outcome.problems.map((problem) => formatProblem("f", problem));
}

function configuration(text: string): SpeakerConfiguration {
  const outcome = readConfiguration(text);
  assert.deepEqual(outcome.kind === "ok" ? [] : outcome.problems, []);
  if (outcome.kind !== "ok") throw new Error("unreachable");
  return outcome.configuration;
}

function peer(keys: string, around = ""): object {
  const { peers } = configuration(
    `${head}${around}neighbors:\n  - {address: 10.0.0.2, asn: 65002, ${keys}}\n`,
  );
  return { ...peers[0] };
}

test("the least that a file can say", () => {
  const read = configuration(head);
  assert.equal(read.routerId, Ipv4.parse("10.0.0.1"));
  assert.equal(read.asn, 65001);
  assert.deepEqual([read.listen, read.peers, read.origins, read.statics], [[{ port: 179 }], [], [], []]);
  assert.deepEqual(configuration(`${head}listen: []\n`).listen, [], "nobody can call");
  assert.deepEqual([read.control, read.kernel], [undefined, undefined]);
});

const corpus: readonly (readonly [title: string, file: string, messages: readonly string[]])[] = [
  ["an empty file", "", ["f:1: expected a mapping, found nothing"]],
  [
    "a file that is no YAML",
    "routerId: [10.0.0.1\nasn: 1\n",
    ["f:2: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ],
  ["two documents", `${head}---\n${head}`, ["f:3: expected one document, here begins another"]],
  ["a key twice", `${head}asn: 65002\n`, ["f:3: Map keys must be unique"]],
  ["missing keys", "listen: []\n", ["f:1: the key routerId is missing", "f:1: the key asn is missing"]],
  [
    "a key that is near one",
    `${head}neighbours: []\n`,
    ["f:3: neighbours: there is no such key; did you mean neighbors?"],
  ],
  [
    "the beginning of a key",
    `${head}neighbors:\n  - {address: 10.0.0.2, asn: 1, hold: 9000}\n`,
    ["f:4: neighbors[0].hold: there is no such key; did you mean holdTimeMs?"],
  ],
  [
    "a key that is near none",
    `${head}kernel: {vrf: blue}\n`,
    ["f:3: kernel.vrf: there is no such key; there are table, protocol"],
  ],
  [
    "identifiers and numbers",
    "routerId: 0.0.0.0\nasn: 4294967296\n",
    [
      'f:1: routerId: expected an IPv4 address other than 0.0.0.0, found "0.0.0.0"',
      'f:2: asn: expected an AS number from 1 to 4294967295, found "4294967296"',
    ],
  ],
  [
    "kinds of values",
    `${head}listen: 179\nneighbors: {a: 1}\nstatic: [10.0.0.0/8]\ncontrol: [a]\n`,
    [
      'f:3: listen: expected a list, found "179"',
      "f:4: neighbors: expected a list, found a mapping",
      'f:5: static[0]: expected a mapping, found "10.0.0.0/8"',
      "f:6: control: expected a text, found a list",
    ],
  ],
  [
    "a neighbor of nowhere, and one of two places",
    `${head}neighbors:\n  - asn: 65002\n  - {asn: 65002, address: 10.0.0.2, prefix: 10.0.0.0/8}\n`,
    [
      "f:4: neighbors[0]: expected address or prefix, found neither",
      "f:5: neighbors[1]: expected address or prefix, found both",
    ],
  ],
  [
    "values of a neighbor, all at once",
    `${head}neighbors:
  - address: 10.0.0.256
    port: 0
    asn: 65002
    passive: maybe
    holdTimeMs: 2000
    nextHop: us
    addPaths: yes
    gracefulRestart: 5000
    families: [ipv4, l2vpn]
    clusterId: 7
`,
    [
      'f:4: neighbors[0].address: expected the IPv4 or IPv6 address of a host, found "10.0.0.256"',
      'f:5: neighbors[0].port: expected a port from 1 to 65535, found "0"',
      'f:7: neighbors[0].passive: expected true or false, found "maybe"',
      'f:8: neighbors[0].holdTimeMs: expected 0 or whole seconds from 3000 to 65535000 in milliseconds, found "2000"',
      'f:9: neighbors[0].nextHop: expected default, self or keep, found "us"',
      'f:10: neighbors[0].addPaths: expected none, send, receive, both, true or false, found "yes"',
      'f:11: neighbors[0].gracefulRestart: expected true, false, the seconds that routes may be kept, from 1 to 4095, or a mapping, found "5000"',
      'f:12: neighbors[0].families[1]: expected ipv4 or ipv6, found "l2vpn"',
      'f:13: neighbors[0].clusterId: expected an IPv4 address other than 0.0.0.0, found "7"',
    ],
  ],
  [
    "neighbors twice",
    `${head}neighbors:
  - {name: a, address: 10.0.0.2, asn: 1}
  - {name: a, address: 10.0.0.3, asn: 1}
  - {name: b, address: 10.0.0.2, asn: 1}
  - {name: 10.0.0.4, address: "2001:db8::1", asn: 1}
  - {address: 10.0.0.4, asn: 1}
`,
    [
      "f:5: neighbors[1].name: a is there already, in line 4",
      "f:6: neighbors[2].address: 10.0.0.2 is there already, in line 4",
      "f:8: neighbors[4]: 10.0.0.4 is there already, in line 7",
    ],
  ],
  [
    "a prefix of neighbors twice, and keys that do not go with it",
    `${head}neighbors:
  - {name: a, prefix: 10.1.0.0/16, asn: 1, port: 1790, passive: false}
  - {prefix: 10.0.0.0/8, asn: 1, passive: true, maxNeighbors: 0}
  - {name: b, prefix: 10.1.0.0/16, asn: 1}
  - {address: 10.0.0.2, asn: 1, maxNeighbors: 7}
`,
    [
      "f:4: neighbors[0].port: goes with address: nobody in a prefix is called",
      "f:4: neighbors[0].passive: goes with address: nobody in a prefix is called",
      'f:5: neighbors[1].maxNeighbors: expected a number of neighbors from 1 to 65535, found "0"',
      "f:6: neighbors[2].prefix: 10.1.0.0/16 is there already, in line 4",
      "f:7: neighbors[3].maxNeighbors: goes with prefix, not with address",
    ],
  ],
  [
    "sockets twice",
    `${head}listen:\n  - {address: 10.0.0.1}\n  - {}\n  - {address: 10.0.0.1, port: 179}\n  - {port: 179}\n`,
    [
      "f:6: listen[2]: 10.0.0.1 port 179 is there already, in line 4",
      "f:7: listen[3]: every address port 179 is there already, in line 5",
    ],
  ],
  [
    "static routes",
    `${head}static:
  - {prefix: 10.1.0.0/16}
  - {prefix: 10.2.0.0/16, nextHop: 10.0.0.9, blackhole: true}
  - {prefix: 10.2.0.0/16, blackhole: true}
  - {prefix: 10.3.0.1/16, blackhole: true}
  - {prefix: "2001:db8::/32", nextHop: 10.0.0.9}
  - {prefix: 10.4.0.0/16, blackhole: true, communities: [65536:1, no-expert]}
`,
    [
      "f:4: static[0]: expected nextHop or blackhole: true, found neither",
      "f:5: static[1]: expected nextHop or blackhole: true, found both",
      "f:6: static[2].prefix: 10.2.0.0/16 is there already, in line 5",
      'f:7: static[3].prefix: expected a prefix such as 10.1.0.0/16 without host bits, found "10.3.0.1/16"',
      "f:8: static[4].nextHop: expected an IPv6 address as the next hop of 2001:db8::/32",
      'f:9: static[5].communities[0]: expected a community such as 65000:1 or 65000:1:2, or no-export, no-advertise, no-export-subconfed, graceful-shutdown, blackhole, no-llgr, found "65536:1"',
      'f:9: static[5].communities[1]: expected a community such as 65000:1 or 65000:1:2, or no-export, no-advertise, no-export-subconfed, graceful-shutdown, blackhole, no-llgr, found "no-expert"',
    ],
  ],
  [
    "tables and protocols of the system's own",
    `${head}kernel: {table: 0, protocol: 2}\n`,
    [
      'f:3: kernel.table: expected main or a number of a routing table from 1 to 4294967295, found "0"',
      'f:3: kernel.protocol: expected bird or a number of a route protocol from 5 to 255, found "2"',
    ],
  ],
  [
    "a kernel that is neither",
    `${head}kernel: true\n`,
    ['f:3: kernel: expected false or a mapping, found "true"'],
  ],
  [
    "filters that are not there",
    `${head}neighbors:
  - {address: 10.0.0.2, asn: 1, import: from_peer, export: zebra}
  - {address: 10.0.0.3, asn: 1, import: from_peers}
filters:
  from_peers: {rules: [], otherwise: accept}
`,
    [
      'f:4: neighbors[0].import: there is no filter "from_peer"; did you mean from_peers?',
      'f:4: neighbors[0].export: there is no filter "zebra" under filters',
    ],
  ],
  [
    "what a filter says",
    `${head}filters:
  a b: {rules: [], otherwise: accept}
  c:
    rules:
      - match: {prefixes: [10.0.0.0/8 ge 4], lokalPref: {min: 1}}
        action: accept
      - match: {prefixes: [10.0.0.0/8 ge 4]}
        action: allow
    otherwise: reject
  d:
    rules:
      - match:
          prefixes:
            - 10.0.0.0/8+
            - 10.0.0.0/8 ge 4
        set: {med: none, communities: {add: [65001:*]}}
        action: continue
`,
    [
      "f:4: filters.a b: expected a word such as from_peers as its name",
      "f:7: filters.c.rules[0].match.lokalPref: there is no such key; did you mean localPref?",
      'f:10: filters.c.rules[1].action: expected accept, reject or continue, found "allow"',
      "f:12: filters.d: the key otherwise is missing",
    ],
  ],
  [
    "what a filter's texts mean",
    `${head}filters:
  d:
    rules:
      - match:
          prefixes:
            - 10.0.0.0/8+
            - 10.0.0.0/8 ge 4
        action: accept
    otherwise: reject
`,
    [
      'f:9: filters.d.rules[0].match.prefixes[1]: expected a prefix, with `ge` and `le` lengths inside it or a `+` if wanted, found "10.0.0.0/8 ge 4"',
    ],
  ],
  [
    "how long routes live",
    `${head}neighbors:
  - address: 10.0.0.2
    asn: 1
    gracefulRestart: {restartTimeS: 5000, longLivedTimeS: 0, longLivedTime: 1}
    maxPrefixes: 0
  - address: 10.0.0.3
    asn: 1
    gracefulRestart: [120]
    maxPrefixes: {warnPercent: 101, action: drop, restartAfterMs: 1}
`,
    [
      "f:6: neighbors[0].gracefulRestart.longLivedTime: there is no such key; did you mean longLivedTimeS?",
      'f:6: neighbors[0].gracefulRestart.restartTimeS: expected seconds from 0 to 4095, found "5000"',
      'f:6: neighbors[0].gracefulRestart.longLivedTimeS: expected seconds from 1 to 16777215, found "0"',
      'f:7: neighbors[0].maxPrefixes: expected a number of prefixes from 1 to 4294967295, found "0"',
      "f:10: neighbors[1].gracefulRestart: expected true, false, the seconds that routes may be kept, from 1 to 4095, or a mapping, found a list",
      "f:11: neighbors[1].maxPrefixes: the key limit is missing",
      'f:11: neighbors[1].maxPrefixes.warnPercent: expected a percentage from 1 to 100, found "101"',
      'f:11: neighbors[1].maxPrefixes.action: expected restart, warn, disable or block, found "drop"',
      'f:11: neighbors[1].maxPrefixes.restartAfterMs: expected milliseconds from 1000 to 86400000, found "1"',
    ],
  ],
];

for (const [title, file, messages] of corpus) {
  test(`it tells ${title}`, () => assert.deepEqual(problems(file), messages));
}

test("passwords and TTL security are for the sockets, and nowhere else", () => {
  const read = configuration(`${head}neighbors:
  - {address: 10.0.0.2, asn: 1, password: secret, ttlSecurity: 2}
  - {name: near, address: 10.0.0.3, asn: 1, ttlSecurity: true}
  - {address: 10.0.0.4, asn: 1, ttlSecurity: false}
`);
  assert.deepEqual(
    [...read.transports],
    [
      ["10.0.0.2", { password: "secret", ttlSecurityHops: 2 }],
      ["near", { ttlSecurityHops: 1 }],
    ],
  );
  assert.ok(!Object.values(read.peers).some((peer) => "password" in peer));
});

test("every key of a neighbor reaches the core", () => {
  const timers = (holdTimeMs: number, keepaliveMs: number): object => ({
    holdTimeMs,
    keepaliveMs,
    connectDelayMs: 0,
  });
  const rows: readonly (readonly [keys: string, settings: object])[] = [
    ["name: core", { name: "core" }],
    ["passive: true", { name: "10.0.0.2", passive: true, port: 179 }],
    ["port: 1790", { port: 1790 }],
    ["localAsn: 64512.1", { localAsn: 64512 * 65536 + 1 }],
    [
      "clusterId: 1.1.1.1, localAsn: 65002, routeReflectorClient: true",
      { clusterId: Ipv4.parse("1.1.1.1"), reflectorClient: true },
    ],
    ["nextHop: self", { nextHop: "self" }],
    ["addPaths: receive", { addPathReceive: true, addPathSend: false }],
    ["addPaths: true", { addPathReceive: true, addPathSend: true }],
    ["addPaths: false", { addPathReceive: false, addPathSend: false }],
    ["addPaths: both", { addPathReceive: true, addPathSend: true }],
    ["families: [ipv6, ipv4]", { families: [6, 4] }],
    ["extendedMessages: false", { extendedMessages: false }],
    ["enhancedRefresh: false", { enhancedRefresh: false }],
    ["gracefulRestart: 30", { restartTimeS: 30 }],
    ["gracefulRestart: false", { restartTimeS: undefined }],
    ["gracefulRestart: {}", { restartOnNotification: true, longLivedPartial: false }],
    [
      "gracefulRestart: {restartTimeS: 0, longLivedTimeS: 3600, longLivedPartial: true, notification: false}",
      { restartTimeS: 0, longLivedTimeS: 3600, longLivedPartial: true, restartOnNotification: false },
    ],
    [
      "maxPrefixes: 9",
      { maxPrefixes: { limit: 9, warnPercent: 75, action: "restart", restartAfterMs: 300_000 } },
    ],
    [
      "maxPrefixes: {limit: 9, warnPercent: 100, action: block, restartAfterMs: 5000}",
      { maxPrefixes: { limit: 9, warnPercent: 100, action: "block", restartAfterMs: 5000 } },
    ],
  ];
  for (const [keys, settings] of rows) assert.partialDeepStrictEqual(peer(keys), settings, keys);
  assert.partialDeepStrictEqual(peer("holdTimeMs: 9000"), { timers: timers(9000, 3000) });
  assert.partialDeepStrictEqual(peer("holdTimeMs: 0"), { timers: timers(0, 0) });
  assert.equal("restartTimeS" in peer(""), false, "the core's own default");
});

test("a filter stands under a name for its direction and the kind of its neighbor", () => {
  const filters = "filters: {f: {rules: [], otherwise: reject}}\n";
  assert.partialDeepStrictEqual(peer("import: f", filters), { importPolicy: "f import eBGP" });
  assert.partialDeepStrictEqual(peer("export: f, localAsn: 65002", filters), {
    exportPolicy: "f export iBGP",
  });
});

test("who listens on one address of a family calls from there", () => {
  const own = Ipv4.parse("10.0.0.1");
  const source = (listen: string): unknown => Reflect.get(peer("", `listen: ${listen}\n`), "sourceAddress");
  assert.equal(source("[{address: 10.0.0.1}]"), own);
  assert.equal(source('[{address: 10.0.0.1}, {address: "2001:db8::1"}]'), own);
  assert.equal(source("[{address: 10.0.0.1}, {address: 10.0.1.1}]"), undefined);
  assert.equal(source("[{}]"), undefined);
  assert.equal(source("[{address: 127.0.0.1}]"), undefined, "nothing else is reached from loopback");
});

test("a neighbor known by a prefix is a range, with the keys that all of them share", () => {
  const { peers, ranges, transports } = configuration(`${head}neighbors:
  - {prefix: 10.0.0.0/8, asn: 65002, password: secret, holdTimeMs: 9000}
  - {name: near, prefix: 10.1.0.0/16, asn: 65001, maxNeighbors: 9, maxPrefixes: 5}
`);
  assert.deepEqual(peers, []);
  assert.partialDeepStrictEqual(ranges, [
    { name: "10.0.0.0/8", prefix: Prefix.parse("10.0.0.0/8"), template: { asn: 65002 } },
    { name: "near", maxPeers: 9, template: { asn: 65001, maxPrefixes: { limit: 5 } } },
  ]);
  assert.deepEqual([...transports], [["10.0.0.0/8", { password: "secret" }]]);
});

test("a static route that is not programmed is told all the same", () => {
  const { origins, statics } = configuration(
    `${head}static: [{prefix: 10.0.0.0/8, blackhole: true, programmed: false}]\n`,
  );
  assert.deepEqual(
    origins.map(({ prefix }) => Prefix.format(prefix)),
    ["10.0.0.0/8"],
  );
  assert.deepEqual(statics, []);
});

test("static routes are told with next hop and communities, and go to the kernel", () => {
  const { origins, statics } = configuration(`${head}static:
  - {prefix: 10.1.0.0/16, blackhole: true, communities: [65001:7, no-export, 65001:1:2]}
  - {prefix: 10.2.0.0/16, nextHop: 10.0.0.9}
`);
  const [first, second] = [Prefix.parse("10.1.0.0/16"), Prefix.parse("10.2.0.0/16")];
  const nextHop = Ipv4.parse("10.0.0.9");
  assert.deepEqual(origins, [
    { prefix: first, communities: [65001 * 65536 + 7, 0xffffff01], largeCommunities: [[65001, 1, 2]] },
    { prefix: second, nextHop },
  ]);
  assert.deepEqual(statics, [
    { prefix: first, nextHop: undefined },
    { prefix: second, nextHop },
  ]);
});

test("kernel, listen and control in their short and long forms", () => {
  const read = configuration(
    `${head}kernel: {}\nlisten: [{port: 1790}, {address: "2001:db8::1"}]\ncontrol: /run/bgp.sock\n`,
  );
  assert.deepEqual(read.kernel, { table: 254, protocol: 12 });
  assert.deepEqual(
    read.listen.map(({ port }) => port),
    [1790, 179],
  );
  assert.equal(read.control, "/run/bgp.sock");
  assert.deepEqual(configuration(`${head}kernel: {table: 100, protocol: 196}\n`).kernel, {
    table: 100,
    protocol: 196,
  });
  assert.equal(configuration(`${head}kernel: false\n`).kernel, undefined);
});
