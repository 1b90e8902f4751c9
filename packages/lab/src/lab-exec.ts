import { constants } from "node:os";
import { spawnInNamespace } from "@caracal/linux";
import type { LabContext } from "./lab-context.ts";
import { LabError } from "./lab-error.ts";
import { nodeEnvironment } from "./node-daemon.ts";
import { findNode, type OpenLab } from "./open-lab.ts";
import { LAB_VARIABLE } from "./process-identity.ts";
import { switchEnvironment } from "./switches/lab-switches.ts";

const SIGNAL_EXIT_BASE = 128;
/** What a shell answers for a command that is not there, and for one that cannot be run. */
const NOT_FOUND_EXIT = 127;
const NOT_RUNNABLE_EXIT = 126;
/** Ours to pass on; those of the keyboard reach the command by itself. */
const PASSED_SIGNALS = ["SIGTERM", "SIGHUP"] as const;
const KEYBOARD_SIGNALS = ["SIGINT", "SIGQUIT"] as const;

/** How to run something inside a node or pod. */
export interface LabPlace {
  readonly namespace: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * A node (whole or short name), a switch or a pod. On a node, `calicoctl`, `birdcl` and `caracal` find its daemon and the
 * store; on a switch, `vtysh`, `birdc` or `caracal bgp` find what runs there.
 */
export function placeOf(
  { lab, topology }: Pick<OpenLab, "lab" | "topology">,
  word: string,
  ctx: LabContext,
): LabPlace {
  const mark = { [LAB_VARIABLE]: lab.path };
  if (lab.pods().some((pod) => pod.name === word)) {
    return { namespace: lab.namespacePath(word), env: { ...ctx.env, ...mark } };
  }
  const spec = topology.switches.find((one) => one.name === word);
  if (spec !== undefined) {
    const env = { ...ctx.env, ...switchEnvironment(lab, topology, spec, ctx), ...mark };
    const directories = [lab.switchBinDirectory(word), ctx.commandDirectory, ctx.env["PATH"] ?? ""];
    return { namespace: lab.namespacePath(word), env: { ...env, PATH: directories.join(":") } };
  }
  const node = findNode(lab, word, "node or pod").name;
  const path = `${ctx.commandDirectory}:${ctx.env["PATH"] ?? ""}`;
  return {
    namespace: lab.namespacePath(node),
    env: { ...ctx.env, ...nodeEnvironment(lab, node), ...mark, PATH: path },
  };
}

/** Runs a command in a node or pod with this process's own terminal, and gives its exit code. */
export function execInLab(
  open: OpenLab,
  word: string,
  argv: readonly string[],
  ctx: LabContext,
): Promise<number> {
  const { namespace, env } = placeOf(open, word, ctx);
  const [program, ...args] = argv;
  if (program === undefined) throw new LabError("a command is missing after --");
  const child = spawnInNamespace(namespace, program, args, { env, stdio: "inherit" });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  const stay = (): void => undefined;
  for (const signal of PASSED_SIGNALS) process.on(signal, pass);
  for (const signal of KEYBOARD_SIGNALS) process.on(signal, stay);
  return new Promise<number>((resolve) => {
    child.once("error", (error) => {
      ctx.stderr.write(`cannot run ${program}: ${error.message}\n`);
      resolve("code" in error && error.code === "ENOENT" ? NOT_FOUND_EXIT : NOT_RUNNABLE_EXIT);
    });
    child.once("exit", (code, signal) => {
      resolve(code ?? SIGNAL_EXIT_BASE + (signal === null ? 0 : constants.signals[signal]));
    });
  }).finally(() => {
    for (const signal of PASSED_SIGNALS) process.off(signal, pass);
    for (const signal of KEYBOARD_SIGNALS) process.off(signal, stay);
  });
}
