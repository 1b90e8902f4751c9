import { ControlError } from "@caracal/control";
import { type Store, StoreError } from "@caracal/datastore";
import { type Environment, readConfig } from "./config.ts";
import { manageCni } from "./cni-token/manage-cni.ts";
import { NodeDaemon } from "./node-daemon.ts";
import { type Log, openLog } from "./observe/log.ts";
import { findNodeName } from "./startup/node-name.ts";
import { openNodeStore } from "./startup/open-node-store.ts";
import { StartUpError } from "./startup/start-up-error.ts";

export interface RunNodeOptions {
  readonly env: Environment;
  /** Ends the daemon when it aborts. */
  readonly signal: AbortSignal;
  /** Where a line goes that says why the daemon cannot start. */
  readonly stderr: { write(text: string): unknown };
}

/** Runs the node daemon until it is told to stop. The result is the exit code. */
export async function runNode({ env, signal, stderr }: RunNodeOptions): Promise<number> {
  const outcome = readConfig(env);
  if (outcome.kind === "problems") {
    for (const problem of outcome.problems) stderr.write(`${problem}\n`);
    return 1;
  }
  const { config } = outcome;
  let log: Log | undefined;
  try {
    const node = findNodeName(config, env["HOSTNAME"]);
    const opened = openLog(config.logLevel, node);
    log = opened;
    for (const problem of config.felix.problems) opened.warn({ problem }, "setting left out");
    await using store = closing(await openNodeStore(env));
    await using _managed = inBackground((stop) => manageCni({ config, env, log: opened }, stop));
    await new NodeDaemon({ config, node, store: store.value, log: opened }).run(signal);
    return 0;
  } catch (error) {
    if (!isForeseen(error)) throw error;
    log?.fatal({ reason: error.message }, "the node daemon cannot run");
    stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Work that ends when its scope does. */
function inBackground(work: (stop: AbortSignal) => Promise<void>): AsyncDisposable {
  const stop = new AbortController();
  const running = work(stop.signal);
  // It is awaited at the end; until then a failure must not count as unhandled.
  running.catch(() => undefined);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

function closing<S extends Store>(value: S): AsyncDisposable & { readonly value: S } {
  return { value, [Symbol.asyncDispose]: () => value.close() };
}

/** What a person can mend, as opposed to a fault of the program. */
function isForeseen(error: unknown): error is Error {
  if (error instanceof StartUpError || error instanceof ControlError || error instanceof StoreError)
    return true;
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^E[A-Z]+$/.test(error.code)
  );
}
