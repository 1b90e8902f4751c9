/**
 * Aim: `caracal bgp` checks files, finds its speaker and prints what it answers. Method: files in a directory of the test's
 * own, and a control socket with known answers.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ControlError, type ControlMethod, ControlServer } from "@caracal/control";
import { run } from "../../test/test-context.ts";

const neighbor = {
  name: "core",
  address: "10.0.0.2",
  port: 179,
  asn: 65002,
  localAsn: 65001,
  type: "external",
  state: "Active",
  since: "2026-01-02T03:04:05.678Z",
  lastError: "Socket: Connection refused",
  routes: { received: 2, best: 1, advertised: 0, stale: 2 },
  imports: { updatesReceived: 3, updatesAccepted: 2, updatesFiltered: 1, updatesRejected: 0 },
  exports: { updatesAccepted: 0, updatesFiltered: 0, updatesRejected: 0 },
};
const routes = [
  {
    prefix: "10.1.0.0/16",
    best: true,
    state: "valid",
    stale: false,
    neighbor: "core",
    nextHop: "10.0.0.2",
    origin: "IGP",
    asPath: "65002",
  },
  {
    prefix: "10.1.0.0/16",
    best: false,
    state: "filtered",
    stale: true,
    neighbor: "core",
    nextHop: "10.0.0.3",
    origin: "EGP",
    asPath: "65002 {1 2}",
    med: 7,
    localPref: 50,
  },
  { prefix: "10.2.0.0/16", best: true, state: "valid", stale: false, origin: "incomplete", asPath: "" },
];

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal-bgp-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

/** A control socket with these answers; gives its path. */
async function serve(t: TestContext, methods: Readonly<Record<string, ControlMethod>>): Promise<string> {
  const server = await ControlServer.listen({ path: join(await directory(t), "bgp.sock"), methods });
  t.after(() => server.close());
  return server.path;
}

test("check tells that a file is right, or all that is wrong with it", async (t) => {
  const file = join(await directory(t), "bgp.yaml");
  await writeFile(file, "routerId: 10.0.0.1\nasn: 65001\nneighbors: [{address: 10.0.0.2, asn: 65002}]\n");
  assert.deepEqual(await run(["bgp", "check", file]), {
    exitCode: 0,
    stdout: `${file}: ok: 1 neighbor, 0 static routes\n`,
    stderr: "",
  });
  await writeFile(file, "routerId: 10.0.0.1\nasm: 65001\n");
  assert.deepEqual(await run(["bgp", "check", file]), {
    exitCode: 1,
    stdout: "",
    stderr: `${file}:1: the key asn is missing\n${file}:2: asm: there is no such key; did you mean asn?\n`,
  });
  assert.match((await run(["bgp", "check", `${file}.none`])).stderr, /^ENOENT: no such file/);
  assert.equal((await run("bgp check")).stderr, "bgp check needs one FILE\n");
});

test("run says why it cannot start", async (t) => {
  const file = join(await directory(t), "bgp.yaml");
  await writeFile(file, "routerId: 10.0.0.1\nasn: none\n");
  assert.deepEqual(await run(["bgp", "run", "--config", file]), {
    exitCode: 1,
    stdout: "",
    stderr: `${file}:2: asn: expected an AS number from 1 to 4294967295, found "none"\n`,
  });
  assert.equal((await run("bgp run")).stderr, "bgp run needs --config FILE\n");
});

test("the speaker is found by option, file or environment", async (t) => {
  const path = await serve(t, { "bgp.neighbors": () => [] });
  const file = join(await directory(t), "bgp.yaml");
  await writeFile(file, `routerId: 10.0.0.1\nasn: 65001\ncontrol: ${path}\n`);
  const found = { exitCode: 0, stdout: "No neighbors.\n", stderr: "" };
  assert.deepEqual(await run(["bgp", "show", "neighbors", "-s", path]), found);
  assert.deepEqual(await run(["bgp", "show", "neighbors", "-c", file]), found);
  assert.deepEqual(await run("bgp show neighbors", { env: { CARACAL_BGP_CONTROL: path } }), found);
  await writeFile(file, "routerId: 10.0.0.1\nasn: 65001\n");
  assert.match((await run(["bgp", "show", "-c", file])).stderr, /names no control socket: add "control: /);
  assert.match(
    (await run("bgp show -s /nowhere/bgp.sock")).stderr,
    /^no daemon answers on \/nowhere\/bgp\.sock: /,
  );
});

test("neighbors as a table, one in full, and both as JSON", async (t) => {
  const path = await serve(t, {
    "bgp.neighbors": () => [neighbor],
    "bgp.neighbor": () => neighbor,
    "bgp.summary": () => ({
      routerId: "10.0.0.1",
      asn: 65001,
      ports: [179],
      startedAt: neighbor.since,
      configuredAt: neighbor.since,
      routes: { ipv4: 3, ipv6: 0 },
      kernel: { table: 254, protocol: 12, routes: 1, failures: [], conflicts: ["x"] },
      neighbors: [neighbor],
    }),
  });
  const show = async (...words: string[]): Promise<string> =>
    (await run(["bgp", "show", ...words, "-s", path])).stdout;
  const lines = (await show("neighbors")).split("\n").map((line) => line.trimEnd());
  assert.deepEqual(lines, [
    "NAME   ADDRESS    ASN     STATE    SINCE                 RECEIVED   BEST   ADVERTISED   INFO",
    "core   10.0.0.2   65002   Active   2026-01-02 03:04:05   2          1      0            Socket: Connection refused",
    "",
  ]);
  assert.match(await show(), /^Kernel: +table 254, protocol 12: 1 routes, 0 failed, 1 in conflict\n\nNAME /m);
  const one = await show("neighbor", "core");
  assert.match(one, /^AS: +65002 \(external\), ours 65001$/m);
  assert.match(one, /^Routes: +2 received, 1 best, 0 advertised, 2 stale$/m);
  assert.match(one, /^Updates in: +3 received, 2 accepted, 1 filtered, 0 rejected$/m);
  assert.deepEqual(JSON.parse(await show("neighbor", "core", "-o", "json")), neighbor);
});

test("routes come in parts and are printed as they come", async (t) => {
  const path = await serve(t, {
    "bgp.routes": (params) => {
      const isFirst = !JSON.stringify(params).includes("cursor");
      return isFirst ? { routes: routes.slice(0, 2), next: "1:2" } : { routes: routes.slice(2) };
    },
    "bgp.received": () => ({ routes: [] }),
  });
  assert.deepEqual(await run(["bgp", "show", "routes", "-s", path]), {
    exitCode: 0,
    stdout: [
      "   PREFIX              NEXT HOP         NEIGHBOR         LOCALPREF  MED    AS PATH",
      "*  10.1.0.0/16         10.0.0.2         core                               65002 i",
      "!s 10.1.0.0/16         10.0.0.3         core             50         7      65002 {1 2} e (filtered)",
      "*  10.2.0.0/16         self             -                                  ?",
      "",
    ].join("\n"),
    stderr: "",
  });
  assert.deepEqual(
    JSON.parse((await run(["bgp", "show", "routes", "-o", "json", "-s", path])).stdout),
    routes,
  );
  assert.equal((await run(["bgp", "show", "received", "core", "-s", path])).stdout, "No routes.\n");
  assert.equal((await run(["bgp", "show", "received", "core", "-o", "json", "-s", path])).stdout, "[]\n");
});

test("why a route is not the best, not used or not told stands at the end of its line", async (t) => {
  const asked: unknown[] = [];
  const path = await serve(t, {
    "bgp.received": (params) => {
      asked.push(params);
      const cursor = JSON.stringify(params).includes("cursor");
      // A part may be empty.
      if (!cursor) return { routes: [], next: "1:1" };
      return {
        routes: [
          { ...routes[0], best: false, why: "MED" },
          { ...routes[0], best: false, shares: true, why: "router ID" },
          { ...routes[1], stale: false, why: "filter in, rule 2 (bogons)" },
        ],
      };
    },
    "bgp.advertised": (params) => {
      asked.push(params);
      return {
        routes: [
          { ...routes[0], state: "told" },
          { ...routes[0], state: "waiting" },
          { ...routes[0], state: "kept", why: "NO_EXPORT" },
        ],
      };
    },
  });
  const show = async (...words: string[]): Promise<string[]> =>
    (await run(["bgp", "show", ...words, "-s", path])).stdout.split("\n").slice(1, -1);
  assert.deepEqual(await show("received", "core"), [
    "   10.1.0.0/16         10.0.0.2         core                               65002 i (MED)",
    "=  10.1.0.0/16         10.0.0.2         core                               65002 i (router ID)",
    "!  10.1.0.0/16         10.0.0.3         core             50         7      65002 {1 2} e (filtered: filter in, rule 2 (bogons))",
  ]);
  assert.deepEqual(await show("advertised", "core", "10.1.0.0/16"), [
    "   10.1.0.0/16         10.0.0.2         core                               65002 i",
    "~  10.1.0.0/16         10.0.0.2         core                               65002 i",
    "!  10.1.0.0/16         10.0.0.2         core                               65002 i (NO_EXPORT)",
  ]);
  assert.deepEqual(asked, [
    { name: "core" },
    { name: "core", cursor: "1:1" },
    { name: "core", prefix: "10.1.0.0/16" },
  ]);
});

test("what cannot be shown is one line", async (t) => {
  const path = await serve(t, {
    "bgp.neighbor": () => {
      throw new ControlError("not-found", 'there is no neighbor "edge"');
    },
  });
  for (const [words, stderr] of [
    ["neighbor edge", 'there is no neighbor "edge"\n'],
    ["neighbor", "usage: bgp show neighbor NAME\n"],
    ["advertised", "usage: bgp show advertised NAME [PREFIX]\n"],
    ["routes 10.0.0.0/8 10.1.0.0/16", "usage: bgp show routes [PREFIX]\n"],
    ["memory now", "usage: bgp show memory\n"],
    ["nieghbors", 'bgp show knows no "nieghbors"; did you mean neighbors?\n'],
  ] as const) {
    const outcome = await run(["bgp", "show", ...words.split(" "), "-s", path]);
    assert.deepEqual(outcome, { exitCode: 1, stdout: "", stderr });
  }
});

test("dump writes what comes to a file, and leaves none that is cut short", async (t) => {
  let isBroken = false;
  const path = await serve(t, {
    "bgp.dump": (params) => {
      const isFirst = !JSON.stringify(params).includes("cursor");
      if (isFirst) return { pieces: [Buffer.from("one ").toString("base64")], next: "1:1" };
      if (isBroken) throw new ControlError("not-found", "the listing took too long; begin it again");
      return { pieces: [Buffer.from("two").toString("base64")] };
    },
  });
  const file = join(await directory(t), "table.mrt");
  assert.deepEqual(await run(["bgp", "dump", file, "-s", path]), {
    exitCode: 0,
    stdout: `${file}: 7 bytes\n`,
    stderr: "",
  });
  assert.equal(await readFile(file, "utf8"), "one two");
  isBroken = true;
  assert.equal(
    (await run(["bgp", "dump", file, "-s", path])).stderr,
    "the listing took too long; begin it again\n",
  );
  await assert.rejects(readFile(file), { code: "ENOENT" });
  assert.equal((await run("bgp dump")).stderr, "bgp dump needs one FILE\n");
});

test("reload tells what changed, or why nothing did", async (t) => {
  let answer: unknown;
  const path = await serve(t, { "bgp.reload": () => answer });
  const quiet = {
    added: [],
    removed: [],
    changed: [],
    unchangedCount: 2,
    restartsBecause: [],
    filtersChanged: [],
  };
  answer = { kind: "applied", difference: quiet };
  assert.equal(
    (await run(["bgp", "reload", "-s", path])).stdout,
    "nothing changed\nneighbors unchanged: 2\n",
  );
  answer = {
    kind: "applied",
    difference: {
      ...quiet,
      added: ["a", "b"],
      removed: ["c"],
      filtersChanged: ["in"],
      restartsBecause: ["asn", "listen"],
    },
  };
  assert.equal(
    (await run(["bgp", "reload", "-s", path])).stdout,
    "neighbors added: a b\nneighbors removed: c\nevery session starts anew: another asn listen\nfilters changed: in\nneighbors unchanged: 2\n",
  );
  answer = { kind: "refused", reasons: ["f:1: one", "f:2: two"] };
  assert.deepEqual(await run(["bgp", "reload", "-s", path]), {
    exitCode: 1,
    stdout: "",
    stderr: "f:1: one\nf:2: two\n",
  });
});

test("an output format that nobody knows is refused before anything is done", async () => {
  for (const command of ["show", "reload"]) {
    assert.deepEqual(await run(["bgp", command, "-o", "yaml", "-s", "/nonexistent.sock"]), {
      exitCode: 1,
      stdout: "",
      stderr: 'unknown output format "yaml": table or json\n',
    });
  }
});

test("birdcl prints a reply that comes in parts, without its codes", async (t) => {
  const path = await serve(t, {
    birdcl: (params) => {
      const asked = JSON.stringify(params);
      if (asked.includes('"cursor":"1:1"')) return { text: " 10.2.0.0/16 blackhole\n0000 \n" };
      return asked.includes('"show route"')
        ? { text: "1007-10.1.0.0/16 blackhole\n", next: "1:1" }
        : { text: "9002 zz is not a protocol\n" };
    },
  });
  assert.deepEqual(await run(["bgp", "birdcl", "s", "r", "-s", path]), {
    exitCode: 0,
    stdout: "10.1.0.0/16 blackhole\n10.2.0.0/16 blackhole\n",
    stderr: "",
  });
  assert.deepEqual(await run(["bgp", "birdcl", "show", "protocols", "zz", "-s", path]), {
    exitCode: 1,
    stdout: "zz is not a protocol\n",
    stderr: "",
  });
});
