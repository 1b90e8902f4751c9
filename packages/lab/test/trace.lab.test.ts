/**
 * Aim: `caracal trace` says where packets go and where they end, as the kernels really do it. Method: labs with the real
 * daemons and switches; every answer is held against a real ping between the same two ends, also when something was
 * broken on the way.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { EtcdStore } from "@caracal/store-etcd";
import { requireRoot, requireTool, run, runAnyway, type CommandResult } from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";
import { labScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "nft", "ping");
const program = [`${REPOSITORY}caracal`];

interface Cluster {
  readonly lab: LabDirectory;
  readonly trace: (words: string) => Promise<CommandResult>;
  /** Whether one packet of this size gets through and its answer back. */
  readonly pings: (from: string, to: string, bytes?: number) => Promise<boolean>;
  readonly ip: (place: string, words: string) => Promise<unknown>;
  readonly nft: (place: string, words: string) => Promise<unknown>;
  readonly addressOf: (pod: string) => string;
}

async function labOf(t: TestContext, topology: string): Promise<Cluster> {
  const scope = await labScope(t, { program });
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", topology, "--name", name]);
  assert.equal(exitCode, 0, stderr);
  const lab = scope.directory(name);
  const env = { ETCD_ENDPOINTS: `unix://${lab.storeSocket}` };
  const enter = (place: string): string[] => ["ip", "netns", "exec", lab.namespaceName(place)];
  return {
    lab,
    trace: (words) => runAnyway([...program, "trace", ...words.split(" ")], { env }),
    pings: async (from, to, bytes = 84) => {
      const size = String(bytes - 28);
      const command = ["ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", size, to];
      return (await runAnyway([...enter(from), ...command])).exitCode === 0;
    },
    ip: (place, words) => run([...enter(place), "ip", ...words.split(" ")]),
    nft: (place, words) => run([...enter(place), "nft", words]),
    addressOf: (pod) =>
      lab
        .pods()
        .find((one) => one.name === pod)
        ?.addresses[0]?.replace(/\/.*/, "") ?? assert.fail(pod),
  };
}

/** No capture is open in any namespace, and no question stands in the datastore. */
async function assertNothingLeft(lab: LabDirectory): Promise<void> {
  for (const part of lab.namespaceParts()) {
    const { stdout } = await run(["ip", "netns", "exec", lab.namespaceName(part), "cat", "/proc/net/packet"]);
    assert.equal(stdout.trim().split("\n").length, 1, `${part}: ${stdout}`);
  }
  const store = new EtcdStore({ endpoints: [`unix://${lab.storeSocket}`] });
  try {
    assert.deepEqual((await store.list("/caracal/")).entries, []);
  } finally {
    await store.close();
  }
}

test("a leaf that knows nothing of pods is where packets to the other rack end", { skip }, async (t) => {
  const { trace, pings, addressOf } = await labOf(t, "leaf-spine");
  const target = addressOf("testapp-worker3");
  assert.equal(await pings("testapp-worker1", target), false);
  const lost = await trace("testapp-worker1 testapp-worker3");
  assert.equal(lost.exitCode, 1, lost.stderr);
  assert.match(
    lost.stdout,
    /^lost at switch leaf01: no route on leaf01 for 10\.244\.[0-9]+\.0\/24 .*nobody told leaf01$/m,
  );
  assert.match(lost.stdout, /^return: lost at switch leaf02/m);

  assert.equal(await pings("testapp-worker1", addressOf("testapp-worker2")), true);
  const near = await trace("testapp-worker1 default/testapp-worker2");
  assert.equal(near.exitCode, 0, near.stdout);
  assert.match(near.stdout, /nobody has 169\.254\.1\.1: cali[0-9a-f]+ of worker1\.k8s\.com answers ARP/);
  assert.match(near.stdout, /^ {6}out {5}eth0 mtu 1500 {2}02:42:0a:00:00:15 > 02:42:0a:00:00:16$/m);
  assert.match(
    near.stdout,
    /^delivered to pod default\/testapp-worker2 on worker2\.k8s\.com, path MTU 1500$/m,
  );
  assert.match(near.stdout, /^return: delivered to pod default\/testapp-worker1 .*, the same way back$/m);

  const really = await trace("testapp-worker1 testapp-worker3 --live");
  assert.equal(really.exitCode, 1);
  assert.match(really.stdout, /^ {2}\+ {2}switch leaf01, in swp1 /m);
  assert.match(really.stdout, /^live: lost at switch leaf01: it came in by swp1, .*, as expected$/m);
  const there = await trace("testapp-worker1 testapp-worker2 --live --size 1400");
  assert.equal(there.exitCode, 0, there.stdout);
  assert.doesNotMatch(there.stdout, /^ {2}[-?!] /m);
  assert.match(
    there.stdout,
    /^live: it arrived at pod default\/testapp-worker2 .*, as expected, and the answer came back$/m,
  );
});

test("through leaf and spine, and what is broken there", { skip }, async (t) => {
  const { lab, trace, pings, ip, nft, addressOf } = await labOf(t, "as-per-rack");
  const target = addressOf("testapp-worker3");
  assert.equal(await pings("testapp-worker1", target), true);
  const there = await trace("testapp-worker1 testapp-worker3 -o json");
  assert.equal(there.exitCode, 0, there.stdout);
  const { forward } = JSON.parse(there.stdout);
  assert.deepEqual(
    forward.hops.map((hop: { place: { name: string } }) => hop.place.name),
    [
      "default/testapp-worker1",
      "worker1.k8s.com",
      "leaf01",
      "spine",
      "leaf02",
      "worker3.k8s.com",
      "default/testapp-worker3",
    ],
  );

  await ip("spine", "link set swp2 mtu 1400");
  assert.equal(await pings("testapp-worker1", target, 1500), false);
  const large = await trace("testapp-worker1 testapp-worker3 --size 1500");
  assert.equal(large.exitCode, 1);
  assert.match(
    large.stdout,
    /^lost at switch spine: a packet of 1500 bytes .* does not fit the 1400 of swp2/m,
  );
  assert.match((await trace("testapp-worker1 testapp-worker3")).stdout, /path MTU 1400$/m);
  await ip("spine", "link set swp2 mtu 1500");

  await ip("leaf02", `route add blackhole ${target}/32`);
  assert.equal(await pings("testapp-worker1", target), false);
  assert.match(
    (await trace("testapp-worker1 testapp-worker3")).stdout,
    /^lost at switch leaf02: the route blackhole/m,
  );
  await ip("leaf02", `route del blackhole ${target}/32`);

  // Nobody but the packet itself finds out about a rule on what is not modelled.
  await nft(
    "spine",
    "add table ip odd; add chain ip odd f { type filter hook forward priority 0; }; add rule ip odd f ip length 84 drop",
  );
  const odd = await trace("testapp-worker1 testapp-worker3 --live");
  assert.equal(odd.exitCode, 1);
  assert.match(
    odd.stdout,
    /not understood, taken not to match: rule \(handle [0-9]+\) in chain f of table ip odd/,
  );
  assert.match(
    odd.stdout,
    /^live: lost at switch spine: it came in by swp1, but did not go out by swp2, though/m,
  );
  await nft("spine", "delete table ip odd");

  await nft(
    "worker3.k8s.com",
    "add table ip odd; add chain ip odd f { type filter hook forward priority 0; }; add rule ip odd f ip daddr 10.244.0.0/16 tcp dport 80 drop",
  );
  assert.match(
    (await trace("testapp-worker1 testapp-worker3 --port 80 --live")).stdout,
    /^lost at node worker3\.k8s\.com: rule .* drops it$[^]*^live: lost at node worker3\.k8s\.com: it came in by eth0, .* as expected$/m,
  );
  assert.equal((await trace("testapp-worker1 testapp-worker3 --port 81 --live")).exitCode, 0);
  assert.equal((await trace("testapp-worker1 testapp-worker3 --protocol udp --port 80 --live")).exitCode, 0);
  await assertNothingLeft(lab);

  const nobody = target.replace(/\.[0-9]+$/, ".77");
  assert.equal(await pings("testapp-worker1", nobody), false);
  const stale = await trace(`testapp-worker1 ${nobody}`);
  assert.equal(stale.exitCode, 1);
  assert.match(stale.stdout, /^lost at node worker3\.k8s\.com: .* no pod here has/m);
});

test("one node, a daemon that is down, and words that mean nothing", { skip }, async (t) => {
  const { lab, trace, pings } = await labOf(t, "full-mesh");
  const [first, second] = lab.pods();
  assert.ok(first !== undefined && second !== undefined);
  const host = lab.nodes().find(({ name }) => name === first.node);
  assert.ok(host !== undefined);
  assert.equal(await pings(first.name, host.address), true);
  const down = await trace(`${first.name} ${host.name}`);
  assert.equal(down.exitCode, 0, down.stdout + down.stderr);
  assert.match(down.stdout, /^ {6}arrives 172\.18\.0\./m);

  const self = await trace(`${first.name} ${first.name} --live`);
  assert.equal(self.exitCode, 0, self.stdout);
  assert.match(self.stdout, /^ {2}\+ {2}pod \S+ on \S+, in lo /m);
  assert.doesNotMatch(self.stdout, /^ {2}[-?!] /m);

  const pid = lab.daemon({ node: second.node })?.pid;
  assert.ok(pid !== undefined);
  process.kill(pid, "SIGSTOP");
  try {
    const silent = await trace(`${first.name} ${second.name}`);
    assert.equal(silent.exitCode, 0, silent.stdout);
    assert.match(
      silent.stdout,
      /^note: node \S+: its daemon did not answer .* the lab's namespace was looked into instead$/m,
    );
  } finally {
    process.kill(pid, "SIGCONT");
  }

  const wrong = await trace(`${first.name}x ${second.name}`);
  assert.equal(wrong.exitCode, 1);
  assert.match(
    wrong.stderr,
    new RegExp(`there is no pod or node ${first.name}x; did you mean ${first.name}\\?`),
  );
  assert.match((await trace(`8.8.8.8 ${second.name}`)).stderr, /a trace begins at one of them/);
});

test(
  "through VXLAN between racks, with the outer headers that are really on the wire",
  { skip },
  async (t) => {
    const { trace, pings, addressOf } = await labOf(t, "vxlan-cross-subnet");
    assert.equal(await pings("testapp-worker1", addressOf("testapp-worker3"), 1450), true);
    const far = await trace("testapp-worker1 testapp-worker3 --live --size 1450");
    assert.equal(far.exitCode, 0, far.stdout);
    assert.match(far.stdout, /^ {6}route {3}\S+ via \S+ dev vxlan\.calico onlink$/m);
    assert.match(far.stdout, /^ {6}fdb {5}66(:[0-9a-f]{2}){5} dev vxlan\.calico dst 30\.0\.0\.23$/m);
    assert.match(
      far.stdout,
      /^ {6}encap {3}vxlan\.calico: VXLAN id 4096 \(UDP port 4789\) 10\.0\.0\.21 > 30\.0\.0\.23; 1500 bytes/m,
    );
    assert.match(
      far.stdout,
      /^ {2}\+ {2}switch spine, out swp2 +10\.0\.0\.21 > 30\.0\.0\.23 VXLAN id 4096 \(\S+ > \S+\)$/m,
    );
    assert.match(far.stdout, /path MTU 1450$/m);
    assert.doesNotMatch(far.stdout, /^ {2}[-?!] /m);
    const near = await trace("testapp-worker1 testapp-worker2");
    assert.doesNotMatch(near.stdout, /vxlan/, "one subnet: no tunnel");
  },
);

test(
  "addresses that change on the way: a pod to the world, and the world to a floating address",
  { skip },
  async (t) => {
    const { trace, ip } = await labOf(t, "nat");
    const out = await trace("client2 world --live");
    assert.equal(out.exitCode, 0, out.stdout);
    assert.match(out.stdout, /^ {6}nat {5}masquerade 10\.244\.\S+ > 172\.18\.0\.2$/m);
    assert.match(out.stdout, /^return: delivered to pod default\/client2/m);
    assert.match(out.stdout, /^ {2}\+ {2}switch edge, in swp1 +172\.18\.0\.2 > 203\.0\.113\.2$/m);
    const within = await trace("client2 192.0.2.1 --live");
    assert.equal(within.exitCode, 0, within.stdout);
    assert.match(within.stdout, /^ {6}nat {5}dnat 192\.0\.2\.1 > 10\.244\.\S+$/m);
    assert.match(
      within.stdout,
      /^live: it arrived at pod default\/web on node1, as expected, and the answer came back$/m,
    );
    assert.match((await trace("world client2")).stdout, /^lost at switch world: no route on world/m);

    // Both nodes tell the switch of the floating address: it has two equal ways.
    const either = await trace("world 192.0.2.1");
    assert.equal(either.exitCode, 0, either.stdout);
    assert.match(
      either.stdout,
      /^other flows, at switch edge via 172\.18\.0\.\d dev swp1: delivered to pod default\/web on node1$/m,
    );
    await ip("node2", "rule add to 192.0.2.1 prohibit");
    const half = await trace("world 192.0.2.1");
    assert.match(half.stdout, /lost at node node2: a routing rule on node2 says prohibit/);
    assert.notEqual(half.exitCode, 0);
  },
);
