import { once } from "node:events";
import { isAbsolute, resolve } from "node:path";
import type { ListenAddress } from "@caracal/store-embedded";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

const etcdPort = 2379;

export const datastoreServe: Command = {
  name: "datastore serve",
  operands: "--data DIR --listen ADDRESS…",
  description: [
    "An address is unix:PATH, HOST:PORT or a port of 127.0.0.1. The API has no users: another host than loopback",
    "must be allowed. Runs until it is told to stop (SIGTERM).",
  ].join("\n"),
  options: [
    { name: "data", value: "DIR", summary: "Where the data is kept; made when it is not there." },
    { name: "listen", value: "ADDRESS", summary: "Where to listen; may be given several times." },
    { name: "allow-remote", summary: "Listen also where other machines can reach." },
  ],
  run: async (ctx, args) => {
    const dataDir = args.text("data");
    const addresses = [...args.texts("listen"), ...args.positional];
    if (dataDir === undefined || addresses.length === 0) {
      throw new CliError("datastore serve needs --data and --listen");
    }
    const listen = addresses.map((text) => parseListenAddress(text, args.flag("allow-remote")));
    const { signal } = ctx;
    const { EmbeddedServer } = await import("@caracal/store-embedded");
    const server = await EmbeddedServer.start({ dataDir: resolve(dataDir), listen });
    ctx.stdout.write(`Datastore ready: ${server.endpoints.join(",")}\n`);
    if (!signal.aborted) await once(signal, "abort");
    await server.stop();
    return 0;
  },
};

/** `unix:PATH`, `unix:///PATH`, `[http://]HOST:PORT`, `PORT`. */
export function parseListenAddress(text: string, allowRemote: boolean): ListenAddress {
  const path = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(text)?.[1];
  if (path !== undefined) return { unix: isAbsolute(path) ? path : resolve(path) };
  const [, bracketed, plain, digits] =
    /^(?:http:\/\/)?(?:(?:\[([0-9a-fA-F:]+)\]|([^:/[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = digits === undefined ? Number.NaN : Number(digits);
  if (!(port <= 65535)) {
    throw new CliError(`'${text}' is not an address: write unix:PATH or 127.0.0.1:${etcdPort}`);
  }
  return { host: bracketed ?? plain ?? "127.0.0.1", port, allowRemote };
}
