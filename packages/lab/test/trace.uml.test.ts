/**
 * Aim: `caracal trace` follows packets through IP-in-IP, with the outer headers that are on the wire. Method: the lab with
 * IPIP between racks, on a kernel that has the module; the walk on paper and a real packet.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requireMachine, runAnyway } from "@caracal/testbed";
import { labScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireMachine();
const program = [`${REPOSITORY}caracal`];

test("through tunl0 between racks, directly within one", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", "ipip-cross-subnet", "--name", name]);
  assert.equal(exitCode, 0, stderr);
  const env = { ETCD_ENDPOINTS: `unix://${scope.directory(name).storeSocket}` };
  const trace = (words: string) =>
    runAnyway([...program, "trace", ...words.split(" ")], { env, timeoutMs: 120_000 });

  const far = await trace("testapp-worker1 testapp-worker3 --live --size 1480");
  assert.equal(far.exitCode, 0, far.stdout + far.stderr);
  assert.match(far.stdout, /^ {6}route {3}\S+ via 30\.0\.0\.23 dev tunl0 onlink proto bird$/m);
  assert.match(
    far.stdout,
    /^ {6}encap {3}tunl0: IPIP \(protocol 4\) 10\.0\.0\.21 > 30\.0\.0\.23; 1500 bytes/m,
  );
  assert.match(far.stdout, /^ {2}\+ {2}switch spine, out swp2 +10\.0\.0\.21 > 30\.0\.0\.23 \(\S+ > \S+\)$/m);
  assert.match(far.stdout, /^ {2}\+ {2}node worker3\.k8s\.com, in tunl0 /m);
  assert.match(far.stdout, /path MTU 1480$/m);
  assert.doesNotMatch(far.stdout, /^ {2}[-?!] /m);

  const near = await trace("testapp-worker1 testapp-worker2");
  assert.equal(near.exitCode, 0, near.stdout);
  assert.doesNotMatch(near.stdout, /tunl0/);
});
