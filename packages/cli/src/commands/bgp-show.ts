import { messageOf } from "@caracal/net";
import { part, parts } from "../bgp/json-parts.ts";
import {
  advertisedLine,
  memoryText,
  neighborTable,
  neighborText,
  routeHeading,
  routeLine,
  summaryText,
} from "../bgp/show-tables.ts";
import { askSpeaker, controlOptions, controlPath, outputOption, wantsJson } from "../bgp/speaker-control.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { didYouMean } from "../did-you-mean.ts";

/** What can be shown: the method that answers, how many operands it takes, and how it is printed. */
const views = {
  summary: { method: "bgp.summary", operand: "", print: summaryText },
  neighbors: {
    method: "bgp.neighbors",
    operand: "[NAME]",
    print: (answer: unknown) => neighborTable(Array.isArray(answer) ? answer : []),
  },
  neighbor: { method: "bgp.neighbor", operand: "NAME", print: neighborText },
  routes: { method: "bgp.routes", operand: "[PREFIX]", print: undefined, line: routeLine },
  received: { method: "bgp.received", operand: "NAME [PREFIX]", print: undefined, line: routeLine },
  advertised: { method: "bgp.advertised", operand: "NAME [PREFIX]", print: undefined, line: advertisedLine },
  memory: { method: "bgp.memory", operand: "", print: memoryText },
} as const;

type ViewName = keyof typeof views;

export const bgpShow: Command = {
  name: "bgp show",
  operands: Object.entries(views)
    .map(([name, { operand }]) => (operand === "" ? name : `${name} ${operand}`))
    .join("|"),
  operandChoices: Object.keys(views),
  description: [
    "Of routes, * marks the best, = one that shares its traffic, ! one that is not used or not told, with why;",
    "s one kept from a neighbor that is away, ~ one that the neighbor has yet to hear.",
  ].join("\n"),
  options: [...controlOptions, outputOption],
  run: async (ctx, args) => {
    const [name = "summary", ...operands] = args.positional;
    if (!isView(name)) {
      throw new CliError(`bgp show knows no "${name}"${didYouMean(name, Object.keys(views))}`);
    }
    const [first, second] = operands;
    const view = views[name === "neighbors" && first !== undefined ? "neighbor" : name];
    const forms = view.operand.split(" ").filter((form) => form !== "");
    const needed = forms.filter((form) => !form.startsWith("["));
    if (operands.length < needed.length || operands.length > forms.length) {
      const { operand } = views[name];
      throw new CliError(`usage: bgp show ${name}${operand === "" ? "" : ` ${operand}`}`);
    }
    const params = needed.length === 0 ? { prefix: first } : { name: first, prefix: second };
    const isJson = wantsJson(args);
    const path = await controlPath(ctx, args);
    if (view.print === undefined) {
      const { method, line } = view;
      return await showRoutes(ctx, { path, method, params, isJson, line });
    }
    const answer = await askSpeaker(path, view.method, params);
    ctx.stdout.write(isJson ? `${JSON.stringify(answer, null, 2)}\n` : view.print(answer));
    return 0;
  },
};

function isView(name: string): name is ViewName {
  return Object.hasOwn(views, name);
}

interface RouteQuestion {
  readonly path: string;
  readonly method: string;
  readonly params: object;
  readonly isJson: boolean;
  readonly line: (route: unknown) => string;
}

/** Prints a listing part by part: a full table does not fit one answer, nor need it fit this process. */
async function showRoutes(ctx: CliContext, question: RouteQuestion): Promise<number> {
  const { ControlClient } = await import("@caracal/control");
  const { method, params, isJson, line } = question;
  try {
    using client = await ControlClient.connect(question.path);
    let count = 0;
    let cursor: unknown;
    do {
      const page = await client.request(method, { ...params, cursor });
      const lines = parts(page, "routes").map((route) => {
        count += 1;
        if (!isJson) return `${count === 1 ? routeHeading : ""}${line(route)}`;
        return `${count === 1 ? "[\n" : ",\n"}  ${JSON.stringify(route)}`;
      });
      ctx.stdout.write(lines.join(""));
      cursor = part(page, "next");
    } while (cursor !== undefined);
    if (isJson) ctx.stdout.write(count === 0 ? "[]\n" : "\n]\n");
    else if (count === 0) ctx.stdout.write("No routes.\n");
    return 0;
  } catch (error) {
    throw new CliError(messageOf(error), { cause: error });
  }
}
