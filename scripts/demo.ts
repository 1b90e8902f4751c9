/**
 * `npm run demo`: brings the full-mesh cluster up on this machine, looks at it from all sides, and checks that it sees
 * what such a cluster must show. Exit code 1 if it does not. The lab stays up; `npm run demo -- --down` removes it, and
 * `--name N` gives it another name than the topology's.
 */
import { parseArgs } from "node:util";
import { findTopology, LabDirectory, openLab, type OpenLab } from "@caracal/lab";
import { showNodeStatus, showPings, showResources, showRoutes } from "./demo/show-cluster.ts";
import { showHops } from "./demo/show-hops.ts";
import { runCaracal, Stage } from "./demo/stage.ts";

const TOPOLOGY = "full-mesh";
const ROOT = "/run/caracal/labs";

process.exitCode = await main();

async function main(): Promise<number> {
  const values = readOptions();
  if (values === undefined) return 1;
  if (process.getuid?.() !== 0) {
    console.error("the demo needs root: it makes network namespaces");
    return 1;
  }
  const stage = new Stage();
  const { name } = values;
  if (values.down) return down(stage, name);
  const startedAt = performance.now();
  if (!(await up(stage, name))) return 1;
  const open = openLab(name, { root: ROOT });
  await showNodeStatus(stage, open);
  await showResources(stage, open);
  await showRoutes(stage, open);
  await showPings(stage, open);
  await showHops(stage, open);
  const exitCode = stage.conclude();
  sayHowToGoOn(stage, open, (performance.now() - startedAt) / 1000);
  return exitCode;
}

/** `undefined`, and one line about it, for a word that the demo does not know. */
function readOptions(): { readonly down: boolean; readonly name: string } | undefined {
  try {
    return parseArgs({
      options: { down: { type: "boolean", default: false }, name: { type: "string", default: TOPOLOGY } },
    }).values;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(/[.\n]/, 1)[0] : String(error);
    console.error(`${reason}; the demo takes --down and --name NAME`);
    return undefined;
  }
}

async function down(stage: Stage, name: string): Promise<number> {
  if (!new LabDirectory(ROOT, name).exists) {
    stage.say(`There is no lab ${name}: nothing to remove.`);
    return 0;
  }
  return (await stage.run("lab", "down", "--name", name)).exitCode;
}

/** A lab that is as the topology says, and well, is used as it is; any other one of that name is replaced. */
async function up(stage: Stage, name: string): Promise<boolean> {
  stage.step("The cluster: three nodes and six pods, each a network namespace of this machine");
  const lab = new LabDirectory(ROOT, name);
  if (isAsBuilt(lab) && (await runCaracal(["lab", "check", "--name", name])).exitCode === 0) {
    stage.say(`Lab ${name} is already up and well: it is used as it is.`);
  } else {
    if (lab.exists && (await stage.run("lab", "down", "--name", name)).exitCode !== 0) return false;
    if ((await stage.run("lab", "up", TOPOLOGY, "--name", name)).exitCode !== 0) return false;
  }
  return (await stage.run("lab", "status", "--name", name)).exitCode === 0;
}

/** It has the nodes and pods of the topology, no more and no fewer. */
function isAsBuilt(lab: LabDirectory): boolean {
  const { nodes } = findTopology(TOPOLOGY);
  const wanted = nodes.flatMap((node) => [node.name, ...node.pods.map((pod) => pod.name)]).toSorted();
  const found = [...lab.nodes(), ...lab.pods()].map((one) => one.name).toSorted();
  return lab.isReady && wanted.join(" ") === found.join(" ");
}

function sayHowToGoOn(stage: Stage, { lab }: OpenLab, seconds: number): void {
  const pod = lab.pods()[0]?.name ?? "POD";
  const isOnly = lab.name === TOPOLOGY;
  const rows = [
    ["status", "daemons, sessions, routes, pods"],
    ["exec worker -- bash", "a shell on a node: calicoctl, birdcl, ip route, tcpdump -i eth0"],
    [`exec ${pod} -- ip route`, "the same in a pod"],
    ["pod add worker2 another", "one more pod; lab node add NAME: one more node"],
    ["check", "every pair of pods again"],
    ["down", `remove it; or: npm run demo -- --down${isOnly ? "" : ` --name ${lab.name}`}`],
  ];
  const lines = rows.map(([command = "", what = ""]) => `  ./caracal lab ${command.padEnd(40)} ${what}`);
  const hint = isOnly ? "" : ` (with --name ${lab.name})`;
  stage.say(
    `\nAll of it took ${seconds.toFixed(1)} s. The lab stays up; go on with${hint}:\n\n${lines.join("\n")}`,
  );
}
