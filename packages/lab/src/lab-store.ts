import { connect } from "node:net";
import type { LabContext } from "./lab-context.ts";
import { startDaemon, waitForDaemon } from "./daemon-process.ts";
import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import type { StoreChoice } from "./lab-record.ts";
import { patience } from "./patience.ts";

/** Time for the store's server to answer, on a busy machine. */
const STORE_DEADLINE_MS = 20_000 * patience;
const DEFAULT_ETCD_PORT = 2379;

/** Reads `--store` and `--store-listen`. */
export function readStoreChoice(store: string | undefined, listen: string | undefined): StoreChoice {
  if (store === undefined || store === "embedded") {
    if (listen === undefined) return { kind: "embedded" };
    return { kind: "embedded", listen: readEndpoint(listen, "--store-listen") };
  }
  if (listen !== undefined) throw new LabError("--store-listen is for the embedded store");
  if (store.startsWith("https://"))
    throw new LabError(`--store ${store}: etcd over TLS is not supported yet`);
  const list = /^(?:etcd|http):\/\/(.+?)\/?$/.exec(store)?.[1];
  if (list === undefined)
    throw new LabError(`--store ${store}: give embedded or etcd://HOST:PORT[,HOST:PORT…]`);
  const endpoints = list
    .split(",")
    .map((part) => readEndpoint(part.replace(/^(etcd|http):\/\//, ""), "--store"));
  return { kind: "etcd", endpoints };
}

function readEndpoint(text: string, option: string): string {
  const parts = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/.exec(text);
  const port = Number(parts?.[2] ?? DEFAULT_ETCD_PORT);
  if (parts === null || port < 1 || port > 65535) throw new LabError(`${option}: ${text} is not HOST:PORT`);
  return `${parts[1] ?? ""}:${port}`;
}

/** How a program in the lab reaches the store. */
export function storeEnvironment(lab: LabDirectory): Readonly<Record<string, string>> {
  return { DATASTORE_TYPE: "etcdv3", ETCD_ENDPOINTS: `unix://${lab.storeSocket}` };
}

/**
 * Starts the store's server on a Unix socket, which is reachable from every network namespace. An etcd elsewhere is
 * reached through a relay on the same socket: the nodes' own networks do not lead there.
 */
export async function startStore(lab: LabDirectory, choice: StoreChoice, ctx: LabContext): Promise<void> {
  await startDaemon(lab, "store", { argv: [...ctx.program, ...storeCommand(lab, choice)], env: ctx.env });
  await waitForDaemon(lab, "store", {
    title: "the store",
    isReady: () => accepts(lab.storeSocket),
    deadlineMs: STORE_DEADLINE_MS,
    signal: ctx.signal,
  });
}

function storeCommand(lab: LabDirectory, choice: StoreChoice): readonly string[] {
  if (choice.kind === "etcd") return ["lab", "relay", lab.storeSocket, ...choice.endpoints];
  const listen = choice.listen === undefined ? [] : ["--listen", choice.listen];
  // Addresses are opened in this order: once the socket answers, the port is ours too.
  return ["datastore", "serve", "--data", lab.storeData, ...listen, "--listen", `unix://${lab.storeSocket}`];
}

/** Whether somebody listens on a Unix socket. */
export function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
