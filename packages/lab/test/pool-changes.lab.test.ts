/**
 * Aim: a pool's encapsulation changes under traffic, also while a node hears of it late, and not one echo is lost; a disabled
 * pool only gives no new addresses; one that is in use is not deleted.
 * Method: the dual-stack topology with pings every 10 ms in both families; pools patched while one daemon is stopped.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, run } from "@caracal/testbed";
import { checkLab, openLab, placeOf } from "../src/index.ts";
import { ContinuousPing } from "./continuous-ping.ts";
import { labContext, labScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const late = "calico-bgp-fullmesh-worker2";

test("pools change their encapsulation under traffic, and nothing is lost", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", "dual-stack", "--name", name]);
  assert.equal(exitCode, 0, stderr);
  const open = openLab(name, labContext());
  const { lab } = open;
  const { env } = placeOf(open, "worker", labContext());
  const texts = Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
  const variables: Record<string, string> = Object.fromEntries(texts);
  const calicoctl = (...words: readonly string[]) =>
    run([`${REPOSITORY}bin/calicoctl`, ...words], { env: variables });
  const patch = async (mode: string): Promise<void> => {
    for (const family of [4, 6]) {
      const spec = JSON.stringify({ spec: { vxlanMode: mode } });
      await calicoctl("patch", "ippool", `default-ipv${family}-ippool`, "-p", spec);
    }
  };
  /** Until the routes between nodes are all like this, but for those that lead to the one that has not heard. */
  const routed = async (
    what: string,
    device: RegExp,
    isExcepted: (node: string) => boolean,
  ): Promise<void> => {
    await eventually(
      async () => {
        for (const node of lab.nodes()) {
          if (isExcepted(node.name)) continue;
          const { stdout } = await run([
            "sh",
            "-c",
            `ip -n ${name}-${node.name} route; ip -n ${name}-${node.name} -6 route`,
          ]);
          const remote = stdout
            .split("\n")
            .filter((line) => / via (10\.244\.|fd00:10:|172\.18\.0\.[234] |fc00:.*::[234] )/.test(line));
          const found = remote.filter((line) => device.test(line));
          if (found.length < (isExcepted(late) ? 2 : 4)) return false;
        }
        return true;
      },
      { what },
    );
  };
  const daemon = lab.daemon({ node: late })?.pid ?? assert.fail("no such process");
  /** Does something while the late node's daemon hears of nothing. */
  const whileLateIsStopped = async (work: () => Promise<void>): Promise<void> => {
    process.kill(daemon, "SIGSTOP");
    try {
      await work();
    } finally {
      process.kill(daemon, "SIGCONT");
    }
  };

  const podOf = (pod: string) => lab.pods().find((one) => one.name === pod)?.addresses ?? [];
  const pairs = [
    ["app-worker", "app-worker2"],
    ["app-worker2", "app-control-plane"],
    ["app-control-plane", "app-worker"],
  ] as const;
  const pings = pairs.flatMap(([from, to]) =>
    podOf(to).map((address) => new ContinuousPing(lab, from, address, "0.01")),
  );
  t.after(() => Promise.all(pings.map((one) => one.stop())));
  await eventually(() => pings.every((one) => one.answeredCount > 10));
  const everyone = (): boolean => false;
  const butLate = (node: string): boolean => node === late;
  for (const [mode, device] of [
    ["Always", / dev vxlan(-v6)?\.calico /],
    ["CrossSubnet", / dev eth0 proto 80 /],
    ["Always", / dev vxlan(-v6)?\.calico /],
    ["Never", / dev eth0 proto bird /],
  ] as const) {
    await whileLateIsStopped(async () => {
      await patch(mode);
      await routed(`${mode} but for ${late}`, device, butLate);
    });
    await routed(`${mode} everywhere`, device, everyone);
    const before = pings.map((one) => one.answeredCount);
    await eventually(() => pings.every((one, index) => one.answeredCount > (before[index] ?? 0) + 20));
  }
  const ends = await Promise.all(pings.map(async (one) => ({ ping: one.title, ...(await one.stop()) })));
  const harmed = ends.filter(({ sent, lost }) => sent === 0 || lost.length > 0);
  assert.deepEqual(harmed, []);
  const { differences } = await checkLab(open, labContext());
  assert.deepEqual(differences, []);

  await calicoctl("patch", "ippool", "default-ipv4-ippool", "-p", '{"spec":{"disabled":true}}');
  const refused = await scope.lab(["pod", "add", "worker", "late-comer", "--name", name]);
  assert.match(refused.stderr, /default-ipv4-ippool: it is disabled/);
  assert.deepEqual(
    (await checkLab(open, labContext())).differences.filter((line) => !line.includes("ippool")),
    [],
  );
  await assert.rejects(calicoctl("delete", "ippool", "default-ipv4-ippool"), /is in use: 10\.244\./);
});
