import { createServer } from "node:net";
import type { ResourceClient } from "@caracal/datastore";
import { bgpPort } from "@caracal/intent";
import { StartUpError } from "./start-up-error.ts";

/**
 * Refuses to start where something else listens for BGP, before anything is written: a node that announced itself and then
 * could not be reached would only disturb its peers. With `bindMode: NodeIP` others may have the port on their addresses.
 */
export async function checkBgpPort(client: ResourceClient, node: string): Promise<void> {
  const [own, cluster] = await Promise.all([
    client.get("BGPConfiguration", `node.${node}`),
    client.get("BGPConfiguration", "default"),
  ]);
  const settings = cluster.kind === "ok" ? cluster.resource.spec : {};
  if (settings.bindMode === "NodeIP") return;
  const port =
    (own.kind === "ok" ? own.resource.spec.listenPort : undefined) ?? settings.listenPort ?? bgpPort;
  const code = await tryToListen(port);
  if (code === "EADDRINUSE") {
    throw new StartUpError(
      `cannot listen for BGP on port ${port}: it is in use; stop what listens there (ss -ltnp sport = :${port}), or set another listenPort in BGPConfiguration`,
    );
  }
  if (code !== undefined) throw new StartUpError(`cannot listen for BGP on port ${port}: ${code}`);
}

/** The code of what stands against listening on every address, or undefined. */
function tryToListen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: "0.0.0.0", exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
