import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";

/** What became of the resources that a command was to change. */
export interface ChangeTally {
  readonly total: number;
  readonly doneCount: number;
  readonly errors: readonly string[];
  /** The kind of all of them, where there is one. */
  readonly singleKind: string | undefined;
}

/** A verb as calicoctl's messages use it. */
export interface Verb {
  readonly base: "create" | "apply" | "replace";
  readonly past: "created" | "applied" | "replaced";
}

/** Says how a create, apply or replace went, in calicoctl's words and with a remark such as ` (dry run)`; throws `CliError` when something failed. */
export function reportChanges(ctx: CliContext, verb: Verb, tally: ChangeTally, remark = ""): void {
  const { total, doneCount, errors, singleKind } = tally;
  const kind = singleKind === undefined ? "" : ` '${singleKind}'`;
  if (total === 0) {
    ctx.stdout.write("No resources specified\n");
  } else if (errors.length === 0) {
    ctx.stdout.write(`Successfully ${verb.past} ${doneCount}${kind} resource(s)${remark}\n`);
  } else if (doneCount > 0) {
    ctx.stdout.write(
      `Partial success: ${verb.past} the first ${doneCount} out of ${total}${kind} resources${remark}:\n`,
    );
    throw new CliError(`hit error: ${errors.join("; ")}`);
  } else {
    const what = total === 1 ? `${kind} resource` : ` any${kind} resources`;
    throw new CliError(`failed to ${verb.base}${what}: [${errors.join("; ")}]`);
  }
}

/** The kind that all of them have, or `undefined`. */
export function singleKindOf(resources: readonly { readonly kind: string }[]): string | undefined {
  const names = new Set(resources.map(({ kind }) => kind));
  return names.size === 1 ? resources[0]?.kind : undefined;
}
