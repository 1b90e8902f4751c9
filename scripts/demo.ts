/**
 * `npm run demo`: brings the full-mesh cluster up on this machine, looks at it from all sides, and checks that it sees
 * what such a cluster must show. Exit code 1 if it does not. The lab stays up; `npm run demo -- --down` removes it.
 */
import { parseArgs } from "node:util";
import { LabDirectory, openLab, type OpenLab } from "@caracal/lab";
import { showNodeStatus, showPings, showResources, showRoutes } from "./demo/show-cluster.ts";
import { showHops } from "./demo/show-hops.ts";
import { runCaracal, Stage } from "./demo/stage.ts";

const LAB = "full-mesh";
const ROOT = "/run/caracal/labs";

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { down: { type: "boolean", default: false } } });
  if (process.getuid?.() !== 0) {
    console.error("the demo needs root: it makes network namespaces");
    return 1;
  }
  const stage = new Stage();
  if (values.down) return down(stage);
  const startedAt = performance.now();
  if (!(await up(stage))) return 1;
  const open = openLab(LAB, { root: ROOT });
  await showNodeStatus(stage, open);
  await showResources(stage, open);
  await showRoutes(stage, open);
  await showPings(stage, open);
  await showHops(stage, open);
  const exitCode = stage.conclude();
  sayHowToGoOn(stage, open, (performance.now() - startedAt) / 1000);
  return exitCode;
}

async function down(stage: Stage): Promise<number> {
  if (!new LabDirectory(ROOT, LAB).exists) {
    stage.say(`There is no lab ${LAB}: nothing to remove.`);
    return 0;
  }
  return (await stage.run("lab", "down", "--name", LAB)).exitCode;
}

/** A lab that is up and well is used as it is; any other one of that name is replaced. */
async function up(stage: Stage): Promise<boolean> {
  stage.step("The cluster: three nodes and six pods, each a network namespace of this machine");
  const lab = new LabDirectory(ROOT, LAB);
  if (lab.isReady && (await runCaracal(["lab", "check", "--name", LAB])).exitCode === 0) {
    stage.say(`Lab ${LAB} is already up and well: it is used as it is.`);
    return true;
  }
  if (lab.exists && (await stage.run("lab", "down", "--name", LAB)).exitCode !== 0) return false;
  if ((await stage.run("lab", "up", LAB)).exitCode !== 0) return false;
  await stage.run("lab", "status", "--name", LAB);
  return true;
}

function sayHowToGoOn(stage: Stage, { lab }: OpenLab, seconds: number): void {
  const pod = lab.pods()[0]?.name ?? "POD";
  stage.say(`
All of it took ${seconds.toFixed(1)} s. The lab stays up; go on with:

  ./caracal lab status                                   daemons, sessions, routes, pods
  ./caracal lab exec worker -- bash                      a shell on a node: calicoctl, birdcl, ip route, tcpdump -i eth0
  ./caracal lab exec ${pod.padEnd(20)} -- ip route       the same in a pod
  ./caracal lab pod add worker2 another                  one more pod; lab node add NAME: one more node
  ./caracal lab check                                    every pod pair again
  ./caracal lab down                                     remove it (or: npm run demo -- --down)`);
}
