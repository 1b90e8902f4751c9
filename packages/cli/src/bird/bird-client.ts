import { connect, type Socket } from "node:net";
import { messageOf } from "@caracal/net";
import { CliError } from "../cli-error.ts";

/** A daemon that is silent for this long in a reply is taken for dead. */
export const birdAnswerMs = 2000;
/** A reply with a longer line is not of BIRD. */
const maxLineChars = 1 << 20;

/** A line of a reply: its text, and the code that it or a line before it carried. */
export interface BirdReplyLine {
  readonly code: number;
  readonly text: string;
}

/** BIRD's codes from here on say that a command failed. */
export const birdErrorCode = 8000;

/** The socket is not there, nothing listens on it, or what listens is no daemon. */
export class BirdUnavailable extends CliError {
  constructor(path: string, cause: unknown) {
    super(`Unable to connect to server control socket (${path}): ${reasonOf(cause)}`, { cause });
  }
}

/** A conversation with a daemon on a control socket of BIRD's kind. */
export class BirdClient implements Disposable {
  readonly #socket: Socket;
  readonly #lines: AsyncGenerator<string, void, undefined>;
  #banner = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = splitLines(socket);
  }

  /** Connects and takes the greeting; throws `BirdUnavailable` where nobody answers. */
  static async connect(path: string): Promise<BirdClient> {
    const socket = connect(path);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", () => resolve());
        socket.once("error", reject);
      });
      const client = new BirdClient(socket);
      const [greeting] = await client.#readReply();
      client.#banner = greeting?.text ?? "";
      return client;
    } catch (error) {
      socket.destroy();
      throw new BirdUnavailable(path, error);
    }
  }

  /** What the server says it is: `BIRD v0.3.3+birdv1.6.8 ready.` */
  get banner(): string {
    return this.#banner;
  }

  /** Sends one command and gives the lines of its reply; an end of table without text is left out. */
  async ask(command: string): Promise<readonly BirdReplyLine[]> {
    this.#socket.write(`${command}\n`);
    return this.#readReply();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** `NNNN-text` goes on, `NNNN text` ends, a leading blank repeats the code before, `+` is an event nobody asked for. */
  async #readReply(): Promise<readonly BirdReplyLine[]> {
    const reply: BirdReplyLine[] = [];
    let code = 0;
    while (true) {
      const line = await this.#readLine();
      if (line.startsWith("+")) continue;
      if (line.startsWith(" ")) {
        reply.push({ code, text: line.slice(1) });
        continue;
      }
      const [, digits = "", mark, text = ""] = /^(\d{4})([ -])(.*)$/.exec(line) ?? [];
      if (mark === undefined) throw new CliError(`unexpected reply from the daemon: ${line}`);
      code = Number(digits);
      if (code !== 0 || text !== "") reply.push({ code, text });
      if (mark === " ") return reply;
    }
  }

  async #readLine(): Promise<string> {
    const deadline = setTimeout(
      () => this.#socket.destroy(new CliError("no answer from the daemon")),
      birdAnswerMs,
    );
    try {
      const next = await this.#lines.next();
      if (next.done !== true) return next.value;
      throw new CliError("connection closed by the daemon");
    } finally {
      clearTimeout(deadline);
    }
  }
}

async function* splitLines(socket: Socket): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const chunk of socket.setEncoding("utf8")) {
    const lines = `${rest}${String(chunk)}`.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLineChars) throw new CliError("a line of the daemon's reply is too long");
    yield* lines;
  }
}

const plainReasons: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  ECONNREFUSED: "Connection refused",
  EACCES: "Permission denied",
};

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return plainReasons[code] ?? messageOf(cause);
}
