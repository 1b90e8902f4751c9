import { Prefix } from "@caracal/net";
import { inParallel } from "../in-parallel.ts";
import type { LabContext } from "../lab-context.ts";
import { placeOf } from "../lab-exec.ts";
import type { OpenLab } from "../open-lab.ts";
import { runCommand } from "../run-command.ts";
import type { Finding } from "./finding.ts";
import type { Forwarding } from "./forwarding.ts";
import { blocksOf, poolPrefixes } from "./match-routes.ts";
import { fillIn, matchText, type Placeholders } from "./match-text.ts";

/** Commands at once. */
const WIDTH = 2;

/** Runs the topology's commands and compares what they print. */
export function checkOutputs(
  open: OpenLab,
  forwarding: Forwarding,
  ctx: LabContext,
): Promise<readonly Finding[]> {
  const { lab, record, topology } = open;
  const pools = poolPrefixes(record);
  const podOf = (name: string, pool: Prefix | undefined): readonly string[] =>
    (lab.pods().find((pod) => pod.name === name)?.addresses ?? []).filter(
      (text) => pool !== undefined && text.includes(":") === (pool.family === 6),
    );
  const placeholders: Placeholders = {
    block: (node) => blocksOf(forwarding, pools.pool, node).map(Prefix.format),
    block6: (node) => blocksOf(forwarding, pools.pool6, node).map(Prefix.format),
    pod: (name) => podOf(name, pools.pool),
    pod6: (name) => podOf(name, pools.pool6),
  };
  return inParallel(topology.checks.outputs, WIDTH, async (check): Promise<Finding> => {
    ctx.signal.throwIfAborted();
    const { on, text, isPart } = check;
    const run = fillIn(check.run, placeholders);
    const { namespace, env } = placeOf(open, on, ctx);
    const { stdout, stderr } = await runCommand(["sh", "-c", run], { env, namespace });
    const difference = matchText(text, stdout, isPart, placeholders);
    return {
      kind: "output",
      on,
      expected: difference === undefined ? run : `"${difference.expected}" of ${run}`,
      found: difference === undefined ? "as expected" : `"${difference.found}"${said(stderr)}`,
      ok: difference === undefined,
    };
  });
}

function said(stderr: string): string {
  const line = stderr.trim().split("\n").at(-1) ?? "";
  return line === "" ? "" : ` (${line})`;
}
