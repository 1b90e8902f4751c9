import { connect } from "node:net";
import { join } from "node:path";
import type { LabDirectory } from "./lab-directory.ts";

/** One BGP session as a node sees it. */
export interface SessionView {
  readonly peer: string;
  readonly isMesh: boolean;
  /** BIRD's word: `Established`, `Connect`… */
  readonly state: string;
}

const ANSWER_TIMEOUT_MS = 2_000;
const MAX_REPLY_CHARS = 4 << 20;

/** The sessions that a node's daemon shows in its BIRD view, or `undefined` when it does not answer. */
export async function readSessions(
  lab: LabDirectory,
  node: string,
): Promise<readonly SessionView[] | undefined> {
  try {
    return parseSessions(await ask(join(lab.runDirectory(node), "bird.ctl"), "show protocols"));
  } catch {
    return undefined;
  }
}

/** Reads the rows of `show protocols`: `Mesh_172_18_0_3 BGP --- up 12:00:00 Established`. */
export function parseSessions(reply: string): readonly SessionView[] {
  return reply.split("\n").flatMap((line) => {
    const row = /^(?:[0-9]{4}-|\s)?(Mesh|Node|Global)_(\S+)\s+BGP\s+\S+\s+\S+\s+\S+\s*(.*)$/.exec(line);
    if (row === null) return [];
    const [, kind, address = "", info = ""] = row;
    return [{ peer: address.replaceAll("_", "."), isMesh: kind === "Mesh", state: info.trim() || "down" }];
  });
}

/** One command on a control socket of BIRD's kind: a greeting, then a reply that ends with `NNNN ` at a line's start. */
function ask(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = "";
    let isGreeted = false;
    const finish = (error?: Error): void => {
      socket.destroy();
      if (error === undefined) resolve(text);
      else reject(error);
    };
    socket
      .setEncoding("utf8")
      .setTimeout(ANSWER_TIMEOUT_MS, () => finish(new Error(`${path} does not answer`)));
    socket.once("error", finish);
    socket.once("close", () => finish(new Error(`${path} was closed`)));
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > MAX_REPLY_CHARS) finish(new Error(`${path} answers without end`));
      if (!/^[0-9]{4} .*\n/m.test(text)) return;
      if (isGreeted) {
        finish();
        return;
      }
      isGreeted = true;
      text = "";
      socket.write(`${command}\n`);
    });
  });
}
