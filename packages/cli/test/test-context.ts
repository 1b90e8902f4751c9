import type { Store } from "@caracal/datastore";
import type { CliContext } from "../src/context.ts";
import { runCli } from "../src/run-cli.ts";

/** What a command line left behind. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, with streams in memory and the parts of the context that a test gives. */
export async function run(
  line: string | readonly string[],
  given: Partial<Omit<CliContext, "stdin">> & { readonly stdin?: string; readonly store?: Store } = {},
): Promise<Outcome> {
  const { stdin = "", store, ...rest } = given;
  const written = { stdout: "", stderr: "" };
  const ctx: CliContext = {
    guise: "calicoctl",
    stdout: { write: (text) => void (written.stdout += text) },
    stderr: { write: (text) => void (written.stderr += text) },
    stdin: {
      isTerminal: false,
      async *[Symbol.asyncIterator]() {
        if (stdin !== "") yield stdin;
      },
    },
    env: { ETCD_ENDPOINTS: "http://127.0.0.1:2379" },
    userId: 0,
    now: () => new Date("2024-01-08T03:12:11Z"),
    sleep: async () => undefined,
    signal: new AbortController().signal,
    openStore: async () => {
      if (store === undefined) throw new Error("the test gave no store");
      return keepOpen(store);
    },
    ...rest,
  };
  const words = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line;
  const exitCode = await runCli(words, ctx);
  return { exitCode, ...written };
}

/** A store that a command may close while the test goes on with it. */
export function keepOpen(store: Store): Store {
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    create: (key, value) => store.create(key, value),
    update: (key, value, revision) => store.update(key, value, revision),
    delete: (key, revision) => store.delete(key, revision),
    watch: (prefix, after, signal) => store.watch(prefix, after, signal),
    close: async () => undefined,
  };
}
