import type { Store } from "@caracal/datastore";
import type { ApiConfig } from "./connection/api-config.ts";

/** The name a person called the command by; it changes what the usage lines say. */
export type Guise = "caracal" | "calicoctl" | "birdcl" | "kubectl-calico" | "kubectl_complete-calico";

/** Where text goes. */
export interface TextSink {
  write(text: string): void;
}

/** All that a command touches outside itself besides files and sockets it is told of. Tests give their own. */
export interface CliContext {
  readonly guise: Guise;
  /** Results. */
  readonly stdout: TextSink;
  /** Talk and errors. */
  readonly stderr: TextSink;
  readonly stdin: TextSource;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** 0 is root. */
  readonly userId: number;
  readonly now: () => Date;
  /** Aborts when the command is asked to stop (SIGTERM, Ctrl-C). Only a long-running command reads it. */
  readonly signal: AbortSignal;
  /** Resolves when the time is over, or at once when the signal aborts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Connects to the store that a configuration names; throws `CliError` or `StoreError`. */
  readonly openStore: (config: ApiConfig) => Promise<Store>;
}

/** Standard input: text as it arrives. */
export interface TextSource extends AsyncIterable<string> {
  readonly isTerminal: boolean;
}
