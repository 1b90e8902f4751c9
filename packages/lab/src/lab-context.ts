/** All that lab commands touch outside themselves besides the kernel and their own directory; the command line gives it. */
export interface LabContext {
  /** Results. */
  readonly stdout: TextSink;
  /** Progress and errors. */
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** 0 is root. */
  readonly userId: number;
  /** Aborts when the person interrupts: `up` then rolls back. */
  readonly signal: AbortSignal;
  /** The command line that runs Caracal itself, such as `["/opt/caracal/bin/caracal"]`. */
  readonly program: readonly string[];
  /** Directory of the commands `calicoctl`, `birdcl` and `caracal`: first in the PATH of `exec`. */
  readonly commandDirectory: string;
  /** Directory of the CNI plugins `calico` and `calico-ipam`; called once pods are made. */
  readonly pluginDirectory: () => string;
  /** Where labs keep their state: `/run/caracal/labs` unless a test has its own. */
  readonly root?: string;
}

/** Where text goes. */
export interface TextSink {
  write(text: string): void;
}
