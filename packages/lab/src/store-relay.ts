import { rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import type { LabContext } from "./lab-context.ts";

/** Clients that one relay carries at once. */
const MAX_CONNECTIONS = 1024;
const CONNECT_TIMEOUT_MS = 3_000;

/**
 * Carries bytes between a Unix socket and the first of `endpoints` that takes the connection; runs until it is told to
 * stop. With nobody there at the start it ends at once; later they may come and go.
 */
export async function relayStore(
  socketPath: string,
  endpoints: readonly string[],
  ctx: LabContext,
): Promise<number> {
  const first = await firstConnection(endpoints);
  first?.destroy();
  if (first === undefined) {
    ctx.stderr.write(`no answer from ${endpoints.join(", ")}\n`);
    return 1;
  }
  const server = createServer({ allowHalfOpen: true }, (client) => void carry(client, endpoints, ctx));
  server.maxConnections = MAX_CONNECTIONS;
  rmSync(socketPath, { force: true });
  return await new Promise<number>((resolve) => {
    server.once("error", (error) => {
      ctx.stderr.write(`${error.message}\n`);
      resolve(1);
    });
    ctx.signal.addEventListener("abort", () => server.close(() => resolve(0)));
    server.listen(socketPath);
  });
}

async function carry(client: Socket, endpoints: readonly string[], ctx: LabContext): Promise<void> {
  client.on("error", () => undefined);
  const upstream = await firstConnection(endpoints);
  if (upstream === undefined) {
    ctx.stderr.write(`no answer from ${endpoints.join(", ")}\n`);
    client.destroy();
    return;
  }
  try {
    await Promise.all([pipeline(client, upstream), pipeline(upstream, client)]);
  } catch {
    // Either side went away; the other one is closed with it, and the client tries again.
  } finally {
    client.destroy();
    upstream.destroy();
  }
}

async function firstConnection(endpoints: readonly string[]): Promise<Socket | undefined> {
  for (const endpoint of endpoints) {
    const colon = endpoint.lastIndexOf(":");
    const host = endpoint.slice(0, colon).replaceAll(/[[\]]/g, "");
    const socket = await connectTo(host, Number(endpoint.slice(colon + 1)));
    if (socket !== undefined) return socket;
  }
  return undefined;
}

function connectTo(host: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.once("connect", () => {
      socket.setTimeout(0);
      resolve(socket);
    });
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy());
    // Both a refusal and the time-out end here; once connected, nobody listens any more.
    socket.once("error", () => resolve(undefined));
    socket.once("close", () => resolve(undefined));
  });
}
