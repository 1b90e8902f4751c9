import { part, parts, textPart } from "../bgp/json-parts.ts";
import { askSpeaker, controlOptions, controlPath, outputOption, wantsJson } from "../bgp/speaker-control.ts";
import type { Command } from "../command.ts";

export const bgpReload: Command = {
  name: "bgp reload",
  description: "A file that is wrong changes nothing; what is wrong with it is said, and the exit code is 1.",
  options: [...controlOptions, outputOption],
  run: async (ctx, args) => {
    const isJson = wantsJson(args);
    const outcome = await askSpeaker(await controlPath(ctx, args), "bgp.reload");
    const isApplied = part(outcome, "kind") === "applied";
    if (isJson) ctx.stdout.write(`${JSON.stringify(outcome, null, 2)}\n`);
    else if (isApplied) ctx.stdout.write(told(part(outcome, "difference")));
    else for (const reason of parts(outcome, "reasons")) ctx.stderr.write(`${String(reason)}\n`);
    return isApplied ? 0 : 1;
  },
};

function told(difference: unknown): string {
  const lines = (["added", "removed", "changed"] as const).flatMap((key) => {
    const names = textPart(difference, key);
    return names === "" ? [] : [`neighbors ${key}: ${names}`];
  });
  const restarts = textPart(difference, "restartsBecause");
  if (restarts !== "") lines.push(`every session starts anew: another ${restarts}`);
  const filters = textPart(difference, "filtersChanged");
  if (filters !== "") lines.push(`filters changed: ${filters}`);
  if (part(difference, "isStaticChanged") === true) lines.push("static routes changed");
  if (part(difference, "isBestPathChanged") === true) lines.push("the choice of best routes changed");
  if (part(difference, "isBmpChanged") === true) lines.push("BMP stations changed");
  if (part(difference, "isKernelChanged") === true) lines.push("the kernel's table or protocol changed");
  if (part(difference, "isControlChanged") === true) lines.push("the control socket changed");
  if (lines.length === 0) lines.push("nothing changed");
  lines.push(`neighbors unchanged: ${textPart(difference, "unchangedCount")}`);
  return `${lines.join("\n")}\n`;
}
