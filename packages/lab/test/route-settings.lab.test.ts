/**
 * Aim: the settings of the node agent's routes (protocol, source, metric, others' routes) hold while they change, and no packet is
 * lost. Method: a lab whose FelixConfiguration is patched while pods ping each other, and what `ip route` shows of one node.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, run } from "@caracal/testbed";
import { ContinuousPing } from "./continuous-ping.ts";
import { labScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");

test("routes are marked as the settings say, from one moment to the next", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const name = scope.newName();
  const up = await scope.lab(["up", "vxlan-cross-subnet", "--name", name, "--switches", "caracal"]);
  assert.equal(up.exitCode, 0, up.stderr);
  const lab = scope.directory(name);
  const addressOf = (pod: string): string => lab.pods().find((one) => one.name === pod)?.addresses[0] ?? "";
  const ip = async (...words: readonly string[]): Promise<string> =>
    (await run(["ip", "-n", `${name}-worker1.k8s.com`, ...words])).stdout;
  const set = async (spec: object): Promise<void> => {
    const document = {
      apiVersion: "projectcalico.org/v3",
      kind: "FelixConfiguration",
      metadata: { name: "default" },
      spec,
    };
    const script = `echo '${JSON.stringify(document)}' | calicoctl apply -f -`;
    const done = await scope.lab(["exec", "--name", name, "master1", "--", "sh", "-c", script]);
    assert.equal(done.exitCode, 0, done.stderr);
  };
  const shows = (...patterns: readonly RegExp[]): Promise<unknown> =>
    eventually(
      async () => {
        const routes = await ip("route");
        return patterns.every((pattern) => pattern.test(routes));
      },
      { deadlineMs: 20_000, what: patterns.join(" and ") },
    );
  const own = addressOf("testapp-worker1");
  const cali = / dev (cali\S+) /.exec(await ip("route"))?.[1] ?? "";
  const block = own.replace(/\.[0-9]+$/, ".0/24");
  const pings = ["testapp-worker3", "testapp-worker2"].map(
    (pod) => new ContinuousPing(lab, "testapp-worker1", addressOf(pod), "0.01"),
  );
  t.after(() => Promise.all(pings.map((one) => one.stop())));

  await set({ deviceRouteProtocol: 98, deviceRouteSourceAddress: "10.0.0.21", ipv4NormalRoutePriority: 700 });
  await shows(
    new RegExp(`^${own} dev ${cali} proto 98 scope link src 10\\.0\\.0\\.21 metric 700 *$`, "m"),
    new RegExp(`^blackhole ${block} proto 98 *$`, "m"),
    /via 10\.0\.0\.22 dev eth0 proto 98 src 10\.0\.0\.21 onlink/,
    /dev vxlan\.calico proto 98 src 10\.0\.0\.21 onlink/,
  );
  assert.doesNotMatch(await ip("route"), / proto 80 |^10\.244\S* dev cali\S+ scope/m);

  // A source that the node has not would have the kernel refuse every route.
  await set({ deviceRouteSourceAddress: "192.0.2.9" });
  await shows(
    new RegExp(`^${own} dev ${cali} scope link *$`, "m"),
    new RegExp(`^blackhole ${block} proto 80 *$`, "m"),
  );
  const told = /deviceRouteSourceAddress.*192\.0\.2\.9 is on no interface of this node/;
  const log = lab.logFile({ node: "worker1.k8s.com" });
  await eventually(() => told.test(readFileSync(log, "utf8")), { what: "the line in the log" });

  // Others' routes through pods' interfaces go, or stay, as the settings say.
  const foreign = ["route", "add", "192.0.2.77", "dev", cali, "proto", "static"];
  await ip(...foreign);
  await eventually(async () => !(await ip("route")).includes("192.0.2.77"), {
    what: "the foreign route to go",
  });
  await set({ deviceRouteProtocol: 98, removeExternalRoutes: false });
  await shows(new RegExp(`^${own} dev ${cali} proto 98 scope link *$`, "m"));
  await ip(...foreign);
  await ip("route", "add", "192.0.2.78", "dev", cali, "proto", "98");
  await eventually(async () => !(await ip("route")).includes("192.0.2.78"), {
    what: "the daemon's number to be its own",
  });
  assert.match(await ip("route"), /192\.0\.2\.77/);
  await set({});
  await eventually(async () => !(await ip("route")).includes("192.0.2.77"), {
    what: "the foreign route to go again",
  });
  await shows(new RegExp(`^${own} dev ${cali} scope link *$`, "m"), /proto 80 onlink/);
  // Without blocks each workload has a route of its own, and nothing is lost on the way there and back.
  const [far, near] = ["testapp-worker3", "testapp-worker2"].map((pod) =>
    addressOf(pod).replaceAll(".", "\\."),
  );
  await set({ routeSource: "WorkloadIPs" });
  await shows(
    new RegExp(`^${far} via \\S+ dev vxlan\\.calico onlink *$`, "m"),
    new RegExp(`^${near} via 10\\.0\\.0\\.22 dev eth0 proto 80 onlink *$`, "m"),
  );
  await eventually(async () => !/blackhole|\.0\/24 via/.test(await ip("route")), { what: "blocks to go" });
  const added = await scope.lab(["pod", "add", "worker3", "late", "--name", name]);
  assert.equal(added.exitCode, 0, added.stderr);
  await shows(
    new RegExp(`^${addressOf("late").replaceAll(".", "\\.")} via \\S+ dev vxlan\\.calico onlink`, "m"),
  );
  await set({});
  await shows(new RegExp(`^blackhole ${block} proto 80`, "m"));
  for (const ping of pings) {
    const { sent, lost } = await ping.stop();
    assert.ok(sent > 100);
    assert.deepEqual(lost, [], ping.title);
  }
});
