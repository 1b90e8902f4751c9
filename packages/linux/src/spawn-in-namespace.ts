import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";

/**
 * Starts a program inside a network namespace, as `child_process.spawn` does otherwise: Node forks on the calling
 * thread before `spawn` returns, so the child inherits the namespace the thread is in at that moment.
 */
export function spawnInNamespace(
  target: NamespaceTarget,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  return withNamespace(target, () => spawn(command, args, options));
}
