import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import {
  connect,
  createServer,
  isIP,
  type ListenOptions,
  type Server as SocketServer,
  type Socket,
} from "node:net";
import { dirname } from "node:path";
import { EmbeddedServerError, reasonOf } from "./embedded-server-error.ts";

/** Where to listen: a socket file, or a TCP port (0: any free one). */
export type ListenAddress =
  | { readonly unix: string }
  | {
      readonly host: string;
      readonly port: number;
      /** The API has no users: a host other than loopback must be asked for. */
      readonly allowRemote?: boolean;
    };

/** An open listener. */
export interface Listener {
  /** The etcd endpoint it is. */
  readonly endpoint: string;
  /** Takes no more connections and removes the socket file. */
  readonly close: () => void;
}

/** Listens; every connection goes to `accept`. Throws `EmbeddedServerError`. */
export async function listen(address: ListenAddress, accept: (socket: Socket) => void): Promise<Listener> {
  if ("unix" in address) return listenUnix(address.unix, accept);
  const { host, port, allowRemote = false } = address;
  if (!allowRemote && !isLoopback(host)) {
    const reason =
      "anyone who reaches it may change everything: allow that with --allow-remote, or listen on 127.0.0.1";
    throw new EmbeddedServerError("invalid", `${host} is not a loopback address, and ${reason}`);
  }
  const name = isIP(host) === 6 ? `[${host}]` : host;
  const server = await open({ host, port }, `${name}:${port}`, accept);
  const bound = server.address();
  const boundPort = typeof bound === "object" && bound !== null ? bound.port : port;
  return { endpoint: `http://${name}:${boundPort}`, close: () => void server.close() };
}

async function listenUnix(path: string, accept: (socket: Socket) => void): Promise<Listener> {
  if (!path.startsWith("/")) {
    throw new EmbeddedServerError("invalid", `the socket path must be absolute: ${path}`);
  }
  try {
    // The socket is its owner's alone, and so is a directory made for it, which may be the data directory.
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (cause) {
    const message = `cannot make the directory of the socket ${path}: ${reasonOf(cause)}`;
    throw new EmbeddedServerError("invalid", message, { cause });
  }
  await removeStale(path);
  const server = await open({ path }, path, accept);
  chmodSync(path, 0o600);
  // Node removes the file of a listener that it closes.
  return { endpoint: `unix://${path}`, close: () => void server.close() };
}

/** A socket file whose server is dead is removed; one that answers, or any other file, is not touched. */
async function removeStale(path: string): Promise<void> {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined) return;
  if (!file.isSocket()) throw new EmbeddedServerError("invalid", `${path} exists and is not a socket`);
  if (await answers(path)) throw inUse(path);
  rmSync(path, { force: true });
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else
        reject(
          new EmbeddedServerError("invalid", `cannot use the socket ${path}: ${reasonOf(error)}`, {
            cause: error,
          }),
        );
    });
  });
}

async function open(
  options: ListenOptions,
  shown: string,
  accept: (socket: Socket) => void,
): Promise<SocketServer> {
  const server = createServer({ noDelay: true }, accept);
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${shown}: ${reasonOf(error)}`;
      const isTaken = error.code === "EADDRINUSE";
      reject(isTaken ? inUse(shown, error) : new EmbeddedServerError("invalid", message, { cause: error }));
    });
    server.listen(options, () => resolve(server));
  });
}

function inUse(shown: string, cause?: Error): EmbeddedServerError {
  return new EmbeddedServerError("addressInUse", `${shown} is in use by another program`, { cause });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
