/**
 * The control socket: how programs on a node talk to its daemon. One JSON document a line over a Unix stream
 * socket, many requests at once on one connection, answers in the order they are ready.
 *
 *     → {"id":7,"method":"node.status","params":{}}
 *     ← {"id":7,"result":{…}}                       or
 *     ← {"id":7,"error":{"code":"unknown-method","message":"…"}}
 *
 * A line that cannot be read is answered with `"id":null`. A client that shuts its sending side is gone: its requests
 * are aborted, so it must keep the connection open until it has its answers. Not here: what the methods mean, and who may call them
 * beyond the socket's mode 0600.
 */
export { type ConnectOptions, ControlClient, controlRequest, type RequestOptions } from "./control-client.ts";
export { ControlCode, ControlError } from "./control-error.ts";
export { ControlServer, type ControlMethod, type ControlServerOptions } from "./control-server.ts";
