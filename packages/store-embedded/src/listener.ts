import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { connect, isIP } from "node:net";
import { dirname } from "node:path";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { EmbeddedServerError } from "./embedded-server-error.ts";

/** Where to listen: a socket file, or a TCP port (0: any free one). */
export type ListenAddress =
  | { readonly unix: string }
  | {
      readonly host: string;
      readonly port: number;
      /** The API has no users: a host other than loopback must be asked for. */
      readonly allowRemote?: boolean;
    };

/** Makes the server listen; returns the etcd endpoint it then has. Throws `EmbeddedServerError`. */
export async function listen(server: Server, address: ListenAddress): Promise<string> {
  if ("unix" in address) return listenUnix(server, address.unix);
  const { host, port, allowRemote = false } = address;
  if (!allowRemote && !isLoopback(host)) {
    const reason = "anyone who reaches it may change everything: allow that, or listen on 127.0.0.1";
    throw new EmbeddedServerError("invalid", `${host} is not a loopback address, and ${reason}`);
  }
  const name = isIP(host) === 6 ? `[${host}]` : host;
  const bound = await bind(server, `${name}:${port}`, `${name}:${port}`);
  return `http://${name}:${bound}`;
}

async function listenUnix(server: Server, path: string): Promise<string> {
  if (!path.startsWith("/")) {
    throw new EmbeddedServerError("invalid", `the socket path must be absolute: ${path}`);
  }
  mkdirSync(dirname(path), { recursive: true });
  await removeStale(path);
  await bind(server, `unix:${path}`, path);
  chmodSync(path, 0o600);
  return `unix://${path}`;
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
      else reject(new EmbeddedServerError("invalid", `cannot use the socket ${path}`, { cause: error }));
    });
  });
}

async function bind(server: Server, target: string, shown: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (cause, port) => {
      if (cause === null) return resolve(port);
      const isTaken = cause.message.includes("EADDRINUSE");
      const message = `cannot listen on ${shown}: ${cause.message}`;
      reject(isTaken ? inUse(shown, cause) : new EmbeddedServerError("invalid", message, { cause }));
    });
  });
}

function inUse(shown: string, cause?: Error): EmbeddedServerError {
  return new EmbeddedServerError("addressInUse", `${shown} is in use by another program`, { cause });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
