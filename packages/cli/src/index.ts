/**
 * The command line: `caracal`, and by name `calicoctl` and `birdcl`. One file per command; a command gets all it touches
 * as an argument, so that tests run whole command lines without starting a process.
 *
 * Grammar, output and exit codes are calicoctl's. Not here: what a command sets in motion (`node`, `lab`, the stores).
 */
export type { CliContext, Guise, TextSink, TextSource } from "./context.ts";
export { runCli } from "./run-cli.ts";
