import type { Socket } from "node:net";

/** A connection that is not made by then is given up. */
const connectTimeoutMs = 10_000;

/** Waits for the event; the socket's failure, its end or too long a wait is thrown. */
export async function untilEvent(
  socket: Socket,
  event: "connect" | "secureConnect" | "readable",
): Promise<void> {
  if (socket.destroyed) throw socket.errored ?? closed();
  await new Promise<void>((resolve, reject) => {
    const timeout = setTimeout(() => {
      const error = Object.assign(new Error("connect ETIMEDOUT"), { code: "ETIMEDOUT" });
      finish(() => reject(error));
      socket.destroy();
    }, connectTimeoutMs);
    const succeed = (): void => finish(resolve);
    const fail = (error: Error): void => finish(() => reject(error));
    const end = (): void => fail(closed());
    function finish(settle: () => void): void {
      clearTimeout(timeout);
      socket.off(event, succeed);
      socket.off("error", fail);
      socket.off("close", end);
      settle();
    }
    // What fails while nobody waits is told by the next wait.
    if (!socket.listeners("error").includes(ignore)) socket.on("error", ignore);
    socket.once(event, succeed);
    socket.once("error", fail);
    socket.once("close", end);
  });
}

function closed(): Error {
  return Object.assign(new Error("connection closed"), { code: "ECONNRESET" });
}

function ignore(): void {}
