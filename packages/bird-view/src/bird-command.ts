import { Prefix } from "@caracal/net";
import { BirdCode, type BirdLine, lastLine } from "./bird-reply.ts";
import type { BirdSnapshot } from "./bird-snapshot.ts";
import { showProtocols } from "./show-protocols.ts";
import { type RouteQuery, showRoute } from "./show-route.ts";
import { showStatus } from "./show-status.ts";

/** The line that greets a client. */
export function birdGreeting(version: string): BirdLine {
  return lastLine(BirdCode.welcome, `BIRD ${version} ready.`);
}

/** Answers one command line as BIRD 1.6 would. The view changes nothing: commands that act are denied. */
export function answerBirdCommand(command: string, snapshot: BirdSnapshot): Iterable<BirdLine> {
  const [verb, object, ...rest] = wordsOf(command);
  if (verb === undefined) return [];
  if (verb === "restrict" && object === undefined)
    return [lastLine(BirdCode.restricted, "Access restricted")];
  if (actions.has(verb)) return [lastLine(BirdCode.accessDenied, "Access denied")];
  if (verb !== "show" || object === undefined) return syntaxError;
  switch (object) {
    case "protocols":
      return answerProtocols(rest, snapshot);
    case "route":
      return answerRoute(rest, snapshot);
    case "status":
      return rest.length === 0 ? showStatus(snapshot) : syntaxError;
    default:
      return syntaxError;
  }
}

/** What a command asks of the routes; `undefined` for any other command. */
export function birdRouteQuery(command: string): RouteQuery | undefined {
  const [verb, object, ...rest] = wordsOf(command);
  return verb === "show" && object === "route" ? parseRouteQuery(rest) : undefined;
}

/** `#` starts a comment, also after a command. */
function wordsOf(command: string): readonly string[] {
  return command.replace(/#.*$/, "").match(/"[^"]*"|\S+/g) ?? [];
}

/** What BIRD itself refuses to a restricted client. */
const actions: ReadonlySet<string> = new Set([
  "configure",
  "debug",
  "disable",
  "down",
  "dump",
  "enable",
  "mrtdump",
  "reload",
  "restart",
]);

const syntaxError: readonly BirdLine[] = [lastLine(BirdCode.syntaxError, "syntax error")];

/** `[all] [NAME | "PATTERN"]`. */
function answerProtocols(words: readonly string[], snapshot: BirdSnapshot): Iterable<BirdLine> {
  const isVerbose = words[0] === "all";
  const [name, ...stray] = isVerbose ? words.slice(1) : words;
  if (stray.length > 0) return syntaxError;
  if (name === undefined) return showProtocols(snapshot, { isVerbose });
  if (name.startsWith('"')) {
    return showProtocols(snapshot, { isVerbose, select: wildcard(name.slice(1, -1)) });
  }
  if (!snapshot.protocols.some((protocol) => protocol.name === name)) {
    return [lastLine(BirdCode.notAProtocol, `${name} is not a protocol`)];
  }
  return showProtocols(snapshot, { isVerbose, select: (candidate) => candidate === name });
}

/** BIRD's patterns know `*` and `?`. */
function wildcard(pattern: string): (name: string) => boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const expression = new RegExp(`^${source}$`);
  return (name) => expression.test(name);
}

/** `[PREFIX] [for PREFIX | for ADDRESS] [table master] [primary] [all] [protocol NAME] [count]`, in any order. */
function answerRoute(words: readonly string[], snapshot: BirdSnapshot): Iterable<BirdLine> {
  const query = parseRouteQuery(words);
  if (query === undefined) return syntaxError;
  const { protocol } = query;
  if (protocol !== undefined && !snapshot.protocols.some(({ name }) => name === protocol)) {
    return [lastLine(BirdCode.notAProtocol, `${protocol} is not a protocol`)];
  }
  return showRoute(snapshot, query);
}

function parseRouteQuery(words: readonly string[]): RouteQuery | undefined {
  let query: RouteQuery = { isFor: false, isVerbose: false, isPrimary: false, isCount: false };
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const next: RouteQuery | undefined = addWord(query, word, queue);
    if (next === undefined) return undefined;
    query = next;
  }
  return query;
}

/** The query with `word` in it; words that take an argument take it off `queue`. */
function addWord(query: RouteQuery, word: string, queue: string[]): RouteQuery | undefined {
  switch (word) {
    case "all":
      return { ...query, isVerbose: true };
    case "primary":
      return { ...query, isPrimary: true };
    case "count":
      return { ...query, isCount: true };
    case "table":
      return queue.shift() === "master" ? query : undefined;
    case "protocol": {
      const protocol = queue.shift();
      return protocol === undefined ? undefined : { ...query, protocol };
    }
    case "for": {
      const prefix = Prefix.parse(queue.shift() ?? "");
      return prefix === undefined || query.prefix !== undefined
        ? undefined
        : { ...query, prefix, isFor: true };
    }
    default: {
      const prefix = Prefix.parse(word);
      return prefix === undefined || query.prefix !== undefined ? undefined : { ...query, prefix };
    }
  }
}
