import { once } from "node:events";
import { createServer } from "node:net";

/** `count` different TCP ports of 127.0.0.1 that were free a moment ago. Another program may take one: retry then. */
export async function freePorts(count: number): Promise<readonly number[]> {
  // All are held at once, so that the kernel cannot hand the same one out twice.
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(async (server) => {
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        const address = server.address();
        if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
        return address.port;
      }),
    );
  } finally {
    for (const server of servers) server.close();
  }
}
