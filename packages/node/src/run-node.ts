import { readFileSync } from "node:fs";
import { ControlError } from "@caracal/control";
import { StoreError } from "@caracal/datastore";
import { type EtcdConfig, EtcdStore, configFromEnvironment } from "@caracal/store-etcd";
import { type Environment, readConfig } from "./config.ts";
import { NodeDaemon } from "./node-daemon.ts";
import { openLog } from "./observe/log.ts";
import { findNodeName } from "./startup/node-name.ts";
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
  let connection: EtcdConfig | undefined;
  try {
    connection = configFromEnvironment(env, (path) => readFileSync(path, "utf8"));
  } catch (error) {
    stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  if (connection === undefined) {
    stderr.write(
      "environment ETCD_ENDPOINTS is not set: name the datastore, such as http://127.0.0.1:2379 or unix:///run/store.sock\n",
    );
    return 1;
  }
  const node = findNodeName(config, env["HOSTNAME"]);
  const log = openLog(config.logLevel, node);
  try {
    const store = new EtcdStore(connection);
    try {
      await new NodeDaemon({ config, node, store, log }).run(signal);
    } finally {
      await store.close();
    }
    return 0;
  } catch (error) {
    if (!isForeseen(error)) throw error;
    log.fatal({ reason: error.message }, "the node daemon cannot run");
    stderr.write(`${error.message}\n`);
    return 1;
  }
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
