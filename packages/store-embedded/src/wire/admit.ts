import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { emptySettings, type Frame, FrameFlag, FrameSplitter, FrameType, repairFrame } from "./frames.ts";

/** A client may send this much before it has answered our settings: requests it does not wait with. */
const maxEarlyBytes = 262_144;

/**
 * Waits for a client's first request, then hands the connection on: as it is when the request's `:authority` is valid,
 * through a repair when it is not. Clients wait for the server's settings before they ask, so empty settings are sent
 * here; the answer to them is taken out, because the HTTP/2 session sends its own and expects one answer.
 */
export function admit(socket: Socket, hand: (connection: Duplex) => void): void {
  const splitter = new FrameSplitter();
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let isAnswered = false;
  let firstRequest: Frame | undefined;
  const giveUp = (): void => void socket.destroy();

  const read = (): void => {
    for (let chunk = readChunk(socket); chunk !== undefined; chunk = readChunk(socket)) {
      for (const frame of splitter.push(chunk)) {
        if (!isAnswered && isAnswer(frame)) {
          isAnswered = true;
          continue;
        }
        if (!isGreeting(frame)) firstRequest ??= frame;
        kept.push(frame.bytes);
        keptBytes += frame.bytes.length;
      }
      if (isAnswered && firstRequest !== undefined) return pass(firstRequest);
      if (keptBytes > maxEarlyBytes) return giveUp();
    }
  };
  const pass = (request: Frame): void => {
    socket.off("readable", read);
    socket.off("error", giveUp);
    socket.off("end", giveUp);
    const rest = splitter.takeRest();
    socket.unshift(Buffer.concat([...kept, rest]));
    hand(repairFrame(request) === request.bytes ? socket : repaired(socket));
  };

  socket.on("readable", read);
  socket.on("error", giveUp);
  socket.on("end", giveUp);
  socket.write(emptySettings);
}

/** The same connection with every `:authority` valid. */
function repaired(socket: Socket): Duplex {
  const splitter = new FrameSplitter();
  const connection = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk: Buffer) => {
    const frames = splitter.push(chunk);
    if (frames.length > 0 && !connection.push(Buffer.concat(frames.map(repairFrame)))) socket.pause();
  });
  socket.on("end", () => connection.push(null));
  socket.on("error", (error) => connection.destroy(error));
  socket.on("close", () => connection.destroy());
  return connection;
}

function readChunk(socket: Socket): Buffer | undefined {
  const chunk: unknown = socket.read();
  return Buffer.isBuffer(chunk) ? chunk : undefined;
}

function isAnswer({ type, flags }: Frame): boolean {
  return type === FrameType.SETTINGS && (flags & FrameFlag.ACK) !== 0;
}

/** What a client sends before it asks for anything. */
function isGreeting({ type }: Frame): boolean {
  const greetings: readonly number[] = [-1, FrameType.SETTINGS, FrameType.WINDOW_UPDATE, FrameType.PRIORITY];
  return greetings.includes(type);
}
