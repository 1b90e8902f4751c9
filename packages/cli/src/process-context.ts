import { setTimeout as sleep } from "node:timers/promises";
import { CliError } from "./cli-error.ts";
import type { CliContext, Guise, TextSink } from "./context.ts";
import { runCli } from "./run-cli.ts";

const guises: readonly Guise[] = [
  "caracal",
  "calicoctl",
  "birdcl",
  "kubectl-calico",
  "kubectl_complete-calico",
];

/** Runs the command line of this process: `GUISE WORD…`. */
export async function start(): Promise<void> {
  const [name, ...words] = process.argv.slice(2);
  // A reader that has seen enough (`| head`) is not an error.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  }
  const ctx: CliContext = {
    guise: guises.find((guise) => guise === name) ?? "caracal",
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    stdin: { isTerminal: process.stdin.isTTY, [Symbol.asyncIterator]: readStdin },
    env: process.env,
    userId: process.getuid?.() ?? 0,
    now: () => new Date(),
    sleep: async (ms, signal) => {
      try {
        await sleep(ms, undefined, signal === undefined ? {} : { signal });
      } catch (error) {
        if (signal?.aborted !== true) throw error;
      }
    },
    get signal() {
      return stopSignal();
    },
    openStore: async (config) => (await import("./connection/open-store.ts")).openStore(config),
  };
  process.exitCode = await runCli(words, ctx);
}

let stopping: AbortController | undefined;

/** From the first call on, SIGTERM and Ctrl-C no longer end the process: the command that asked does. */
function stopSignal(): AbortSignal {
  if (stopping === undefined) {
    const controller = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => controller.abort());
    stopping = controller;
  }
  return stopping.signal;
}

function sink(stream: NodeJS.WriteStream): TextSink {
  return {
    write: (text) => {
      stream.write(text);
    },
  };
}

async function* readStdin(): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const chunk of process.stdin) yield decoder.decode(bytesOf(chunk), { stream: true });
    yield decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new CliError("standard input is not UTF-8 text", { cause: error });
    throw error;
  }
}

function bytesOf(chunk: unknown): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : new TextEncoder().encode(String(chunk));
}
