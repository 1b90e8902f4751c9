import { connect, type Socket } from "node:net";

/** BIRD that is silent for so long in an answer is taken for dead. */
const answerMs = 2_000;
/** More than a thousand sessions say; whatever sends more is no BIRD. */
const maxAnswerChars = 8 << 20;

/** One question to a BIRD on its control socket; gives the lines of the answer without their codes. */
export async function askBird(path: string, question: string): Promise<readonly string[]> {
  const socket = connect(path);
  socket.setTimeout(answerMs, () => socket.destroy(new Error("BIRD does not answer")));
  try {
    // The greeting, too, is an answer.
    const answers = readAnswers(socket);
    await answers.next();
    socket.write(`${question}\n`);
    const { value } = await answers.next();
    if (value === undefined) throw new Error("BIRD closed the connection");
    return value;
  } finally {
    socket.destroy();
  }
}

/** `NNNN-text` goes on, `NNNN text` ends an answer, a leading blank repeats the code before, `+` is an event nobody asked for. */
async function* readAnswers(socket: Socket): AsyncGenerator<readonly string[], undefined, undefined> {
  let rest = "";
  let lines: string[] = [];
  let taken = 0;
  for await (const chunk of socket.setEncoding("utf8")) {
    const parts = `${rest}${String(chunk)}`.split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      if (part.startsWith("+")) continue;
      taken += part.length;
      const [, mark, text = ""] = /^\d{4}([ -])(.*)$/.exec(part) ?? [];
      lines.push(mark === undefined ? part.slice(1) : text);
      if (mark !== " ") continue;
      yield lines;
      lines = [];
      taken = 0;
    }
    if (taken + rest.length > maxAnswerChars) throw new Error("BIRD's answer is too long");
  }
  return undefined;
}
