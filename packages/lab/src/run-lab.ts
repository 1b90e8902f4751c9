import { messageOf } from "@caracal/net";
import { addressText } from "./address-text.ts";
import { bringUp } from "./bring-up.ts";
import { addNode, deleteNode } from "./change-nodes.ts";
import { drawTopology } from "./draw-topology.ts";
import { findTopology, builtInTopologies } from "./find-topology.ts";
import { type ArgumentRules, type LabArguments, parseLabArguments } from "./lab-arguments.ts";
import { describeReport } from "./describe-report.ts";
import { checkLab } from "./lab-check.ts";
import type { LabContext } from "./lab-context.ts";
import { DEFAULT_ROOT, LabDirectory, labNames } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { execInLab } from "./lab-exec.ts";
import { addPod, deletePod } from "./lab-pods.ts";
import { labStatus } from "./lab-status.ts";
import { readStoreChoice } from "./lab-store.ts";
import { findLab, findNode, findPod, openLab, withSwitchDaemon } from "./open-lab.ts";
import { restartDaemon } from "./restart-daemon.ts";
import { isRunning } from "./process-identity.ts";
import { relayStore } from "./store-relay.ts";
import { refuseWhileMade, tearDown } from "./tear-down.ts";
import { textTable } from "./text-table.ts";
import {
  LAB_NAME,
  LAB_NAME_RULE,
  NODE_NAME,
  NODE_NAME_RULE,
  POD_NAME,
  POD_NAME_RULE,
  SWITCH_DAEMONS,
  type SwitchDaemon,
} from "./topology.ts";

interface LabCommand extends ArgumentRules {
  readonly summary: string;
  readonly run: (args: LabArguments, ctx: LabContext) => Promise<number>;
}

const commands: Readonly<Record<string, LabCommand>> = {
  up: {
    usage:
      "up TOPOLOGY [--name N] [--switches caracal|bird|frr] [--store embedded|etcd://HOST:PORT[,…]] [--store-listen HOST:PORT]",
    summary: "bring a cluster up on this machine and wait until it is routed",
    operandCount: 1,
    values: ["--name", "--switches", "--store", "--store-listen"],
    run: up,
  },
  list: { usage: "list", summary: "labs of this machine", operandCount: 0, run: list },
  status: {
    usage: "status [--name N]",
    summary: "switches, daemons, sessions, routes and pods of a lab",
    operandCount: 0,
    values: ["--name"],
    run: status,
  },
  down: {
    usage: "down [--name N | --all]",
    summary: "remove a lab and everything it made",
    operandCount: 0,
    flags: ["--all"],
    values: ["--name"],
    run: down,
  },
  exec: {
    usage: "exec [--name N] NODE|SWITCH|POD -- COMMAND…",
    summary:
      "run a command there; calicoctl and birdcl, on a switch vtysh, birdc or caracal bgp find its daemon",
    operandCount: 1,
    values: ["--name"],
    run: exec,
  },
  "pod add": {
    usage: "pod add NODE POD [--namespace NS] [--annotation K=V]… [--name N]",
    summary: "add a pod to a node by its CNI plugin",
    operandCount: 2,
    values: ["--name", "--namespace", "--annotation"],
    run: podAdd,
  },
  "pod del": {
    usage: "pod del POD [--name N]",
    summary: "remove a pod",
    operandCount: 1,
    values: ["--name"],
    run: podDelete,
  },
  "node add": {
    usage: "node add NODE [--network RACK|NETWORK] [--address A] [--name N]",
    summary: "add a node to a rack or network, by default the first",
    operandCount: 1,
    values: ["--name", "--network", "--address"],
    run: nodeAdd,
  },
  "node del": {
    usage: "node del NODE [--name N]",
    summary: "remove a node and its pods",
    operandCount: 1,
    values: ["--name"],
    run: nodeDelete,
  },
  restart: {
    usage: "restart NODE|SWITCH|store [--name N]",
    summary: "start a node's or switch's daemon or the store anew, also one that was killed; pods stay",
    operandCount: 1,
    values: ["--name"],
    run: restart,
  },
  check: {
    usage: "check [--json] [--name N]",
    summary:
      "every pod pair's reachability, sessions, and all else the topology says; exit code 1 on a difference",
    operandCount: 0,
    flags: ["--json"],
    values: ["--name"],
    run: check,
  },
};

/** Runs `caracal lab WORDS…` and gives its exit code. What cannot be done is said in one line on stderr. */
export async function runLab(words: readonly string[], ctx: LabContext): Promise<number> {
  try {
    // Not for people: how a lab reaches an etcd elsewhere.
    if (words[0] === "relay") return await relayStore(words[1] ?? "", words.slice(2), ctx);
    const found = findCommand(words);
    if (found === undefined) {
      ctx.stdout.write(usage());
      return 0;
    }
    const { name, rest } = found;
    const command = commands[name];
    if (command === undefined)
      throw new LabError(`unknown lab command ${name}: there are ${Object.keys(commands).join(", ")}`);
    // What stands behind "--" is for the command that exec runs.
    const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
    if (own.includes("--help") || own.includes("-h")) {
      ctx.stdout.write(`${command.summary}\nusage: caracal lab ${command.usage}\n`);
      return 0;
    }
    const args = parseLabArguments(rest, command);
    if (ctx.userId !== 0) throw new LabError("caracal lab needs root: it makes network namespaces");
    return await command.run(args, ctx);
  } catch (error) {
    ctx.stderr.write(`${messageOf(error)}\n`);
    return 1;
  }
}

function findCommand(
  words: readonly string[],
): { readonly name: string; readonly rest: readonly string[] } | undefined {
  const [first, second] = words;
  if (first === undefined || first === "help" || first === "--help" || first === "-h") return undefined;
  const isPair = first === "pod" || first === "node";
  if (!isPair) return { name: first, rest: words.slice(1) };
  return { name: `${first} ${second ?? ""}`.trimEnd(), rest: words.slice(2) };
}

function usage(): string {
  const lines = Object.values(commands).map(
    (command) => `  caracal lab ${command.usage}\n      ${command.summary}\n`,
  );
  const topologies = `Topologies: ${builtInTopologies().join(", ")}, or a file.\n`;
  return `Clusters on this machine, in network namespaces.\n\n${lines.join("")}\n${topologies}`;
}

async function up({ operands, values }: LabArguments, ctx: LabContext): Promise<number> {
  const name = values["--name"];
  if (name !== undefined && !LAB_NAME.test(name)) throw new LabError(`"${name}" is not ${LAB_NAME_RULE}`);
  const store = readStoreChoice(values["--store"], values["--store-listen"]);
  const switchDaemon = readSwitchDaemon(values["--switches"]);
  const topology = findTopology(operands[0] ?? "");
  ctx.stdout.write(`${drawTopology(withSwitchDaemon(topology, switchDaemon))}\n`);
  const { lab } = await bringUp(
    {
      topology,
      store,
      ...(name === undefined ? {} : { name }),
      ...(switchDaemon === undefined ? {} : { switchDaemon }),
    },
    ctx,
  );
  ctx.stdout.write(`lab ${lab.name} is up; next: caracal lab status, caracal lab check, caracal lab down\n`);
  return 0;
}

function readSwitchDaemon(word: string | undefined): SwitchDaemon | undefined {
  const daemon = SWITCH_DAEMONS.find((one) => one === word);
  if (word !== undefined && daemon === undefined)
    throw new LabError(`--switches ${word}: give ${SWITCH_DAEMONS.join(", ")}`);
  return daemon;
}

function list(_: LabArguments, ctx: LabContext): Promise<number> {
  const root = ctx.root ?? DEFAULT_ROOT;
  const rows = labNames(root).map((name) => {
    const lab = new LabDirectory(root, name);
    const description = lab.record?.description ?? "";
    return [name, labState(lab), String(lab.nodes().length), String(lab.pods().length), description];
  });
  ctx.stdout.write(textTable(["NAME", "STATE", "NODES", "PODS", "DESCRIPTION"], rows));
  return Promise.resolve(0);
}

function labState(lab: LabDirectory): string {
  if (!isRunning(lab.daemon("store"))) return isRunning(lab.record?.maker) ? "coming up" : "broken";
  if (lab.isReady) return "up";
  return isRunning(lab.record?.maker) ? "coming up" : "never routed";
}

async function status({ values }: LabArguments, ctx: LabContext): Promise<number> {
  ctx.stdout.write(await labStatus(openLab(values["--name"], ctx), ctx));
  return 0;
}

async function down({ flags, values }: LabArguments, ctx: LabContext): Promise<number> {
  const root = ctx.root ?? DEFAULT_ROOT;
  const isAll = flags.has("--all");
  if (isAll && values["--name"] !== undefined) throw new LabError("give --name or --all, not both");
  const labs = isAll
    ? labNames(root).map((name) => new LabDirectory(root, name))
    : [findLab(values["--name"], ctx)];
  for (const lab of labs) {
    refuseWhileMade(lab);
    const store = lab.record?.store;
    await tearDown(lab);
    ctx.stdout.write(`lab ${lab.name} is removed\n`);
    if (store?.kind === "etcd")
      ctx.stderr.write(`its data stays in etcd at ${store.endpoints.join(", ")}, below /calico/\n`);
  }
  return 0;
}

async function exec({ operands, command, values }: LabArguments, ctx: LabContext): Promise<number> {
  if (command === undefined) throw new LabError("a command is missing: lab exec NODE|SWITCH|POD -- COMMAND…");
  return execInLab(openLab(values["--name"], ctx), operands[0] ?? "", command, ctx);
}

async function podAdd({ operands, values, annotations }: LabArguments, ctx: LabContext): Promise<number> {
  const { lab } = openLab(values["--name"], ctx);
  const [nodeWord = "", name = ""] = operands;
  const namespace = values["--namespace"] ?? "default";
  for (const text of [name, namespace]) {
    if (!POD_NAME.test(text)) throw new LabError(`"${text}" is not ${POD_NAME_RULE}`);
  }
  const node = findNode(lab, nodeWord);
  const pod = await addPod(lab, node.name, { name, namespace, annotations }, ctx);
  ctx.stdout.write(`pod ${pod.name} is on ${pod.node} with ${pod.addresses.join(" ")}\n`);
  return 0;
}

async function podDelete({ operands, values }: LabArguments, ctx: LabContext): Promise<number> {
  const { lab } = openLab(values["--name"], ctx);
  const pod = findPod(lab, operands[0] ?? "");
  await deletePod(lab, pod, ctx);
  ctx.stdout.write(`pod ${pod.name} is removed\n`);
  return 0;
}

async function nodeAdd({ operands, values }: LabArguments, ctx: LabContext): Promise<number> {
  const open = openLab(values["--name"], ctx);
  const [name = ""] = operands;
  if (!NODE_NAME.test(name)) throw new LabError(`"${name}" is not ${NODE_NAME_RULE}`);
  const wanted = { network: values["--network"], address: values["--address"] };
  const node = await addNode(open, name, wanted, ctx);
  ctx.stdout.write(`node ${node.name} is up at ${addressText(node)}\n`);
  return 0;
}

async function nodeDelete({ operands, values }: LabArguments, ctx: LabContext): Promise<number> {
  const { lab } = openLab(values["--name"], ctx);
  const node = findNode(lab, operands[0] ?? "");
  await deleteNode(lab, node, ctx);
  ctx.stdout.write(`node ${node.name} is removed\n`);
  return 0;
}

async function restart({ operands, values }: LabArguments, ctx: LabContext): Promise<number> {
  const [word = ""] = operands;
  await restartDaemon(openLab(values["--name"], ctx), word, ctx);
  ctx.stdout.write(`${word} runs again\n`);
  return 0;
}

async function check({ flags, values }: LabArguments, ctx: LabContext): Promise<number> {
  const report = await checkLab(openLab(values["--name"], ctx), ctx);
  ctx.stdout.write(
    flags.has("--json") ? `${JSON.stringify(report, undefined, 2)}\n` : describeReport(report),
  );
  return report.ok ? 0 : 1;
}
