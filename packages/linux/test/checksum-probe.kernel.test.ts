// Aim: an interface's checksums are found broken only where they are, and then left to the kernel. Method: two namespaces with
// VXLAN between them, over a wire, over a program that carries frames and fills nothing in, and over nothing.
import assert from "node:assert/strict";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { test, type TestContext } from "node:test";
import { namespacePath, offload, spawnInNamespace } from "../src/index.ts";
import { freshNamespace, kernelSkip, run } from "./fresh-namespace.ts";

const skip = kernelSkip(["ip", "bridge"]);
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Runs a program of this directory in a namespace; gives what it says first. */
async function start(
  t: TestContext,
  namespace: string,
  program: string,
  ...words: readonly string[]
): Promise<string> {
  const flags = ["--disable-warning=ExperimentalWarning", file(program), ...words];
  const child = spawnInNamespace(namespacePath(namespace), process.execPath, flags, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  assert.ok(child.stdout !== null);
  child.stdout.setEncoding("utf8");
  const [text] = await once(child.stdout, "data");
  return String(text).trim();
}

/** A namespace with one end of a tunnel. */
function tunnelEnd(t: TestContext, at: 1 | 2): string {
  const namespace = freshNamespace(t);
  const other = 3 - at;
  run(namespace, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "wire0");
  run(namespace, "ip", "address", "add", `10.0.0.${at}/24`, "dev", "eth0");
  run(namespace, "ip", "link", "set", "eth0", "up");
  const mac = (of: number): string => `66:00:00:00:00:0${of}`;
  // Without an outer sum of its own: a broken one would stop everything between the nodes, in the tunnel or not.
  const tunnel = `type vxlan id 4096 dstport 4789 local 10.0.0.${at} dev eth0 nolearning noudpcsum`;
  for (const line of [
    `ip link add vx0 address ${mac(at)} ${tunnel}`,
    `ip address add 10.244.${at}.0/32 dev vx0`,
    "ip link set vx0 up",
    `ip neighbour add 10.244.${other}.0 lladdr ${mac(other)} dev vx0 nud permanent`,
    `bridge fdb add ${mac(other)} dev vx0 dst 10.0.0.${other} self permanent`,
    `ip route add 10.244.${other}.0/32 dev vx0`,
  ])
    run(namespace, ...line.split(" "));
  return namespace;
}

/** Both ends, and a third namespace in which the wires end as a0 and b0. */
function bed(t: TestContext): { readonly here: string; readonly between: string } {
  const between = freshNamespace(t);
  const [here, there] = [tunnelEnd(t, 1), tunnelEnd(t, 2)];
  for (const [namespace, name] of [
    [here, "a0"],
    [there, "b0"],
  ] as const) {
    run(namespace, "ip", "link", "set", "wire0", "netns", between, "name", name);
    run(between, "ip", "link", "set", name, "up", "promisc", "on");
  }
  return { here, between };
}

const probe = (t: TestContext, namespace: string): Promise<string> =>
  start(t, namespace, "probe-child.ts", "vx0", "10.244.1.0", "10.244.2.0");

test("offload is read and set as ethtool does", { skip }, (t) => {
  const namespace = tunnelEnd(t, 1);
  const path = namespacePath(namespace);
  assert.equal(offload.readTxChecksum("vx0", path), true);
  offload.setTxChecksum("vx0", false, path);
  assert.equal(offload.readTxChecksum("vx0", path), false);
  offload.setTxChecksum("vx0", true, path);
  assert.equal(offload.readTxChecksum("vx0", path), true);
  assert.throws(() => offload.readTxChecksum("none0", path), { code: "ENODEV" });
});

test("over a wire checksums are sound, and stay with the interface", { skip }, async (t) => {
  const { here, between } = bed(t);
  run(between, "ip", "link", "add", "br0", "up", "type", "bridge");
  for (const name of ["a0", "b0"]) run(between, "ip", "link", "set", name, "master", "br0");
  assert.equal(await probe(t, here), "sound on");
});

test(
  "over a program that fills nothing in they are broken, and the kernel does them",
  { skip },
  async (t) => {
    const { here, between } = bed(t);
    assert.equal(await start(t, between, "packet-relay.ts", "a0", "b0"), "ready");
    assert.equal(await start(t, between, "packet-relay.ts", "b0", "a0"), "ready");
    assert.equal(await probe(t, here), "broken off");
    assert.equal(await probe(t, here), "sound off");
  },
);

test("where nothing answers all stays as it was", { skip }, async (t) => {
  const { here } = bed(t);
  assert.equal(await probe(t, here), "unknown on");
});
