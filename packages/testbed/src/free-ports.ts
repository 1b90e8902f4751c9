import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** Below what the kernel gives to clients and to servers that leave the choice to it, so that none of those takes one. */
const firstPort = 12_000;
const portCount = 20_000;
const attempts = 100;

/**
 * `count` different TCP ports of 127.0.0.1 that were free a moment ago, and stay so unless somebody wants one by its number: another
 * test may, who drew the same. Who starts a server on one tries again then.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  // All are held at once, so that none is drawn twice.
  const servers: Server[] = [];
  const ports: number[] = [];
  try {
    for (let attempt = 0; ports.length < count; attempt += 1) {
      const port = firstPort + Math.floor(Math.random() * portCount);
      const server = createServer();
      try {
        server.listen(port, "127.0.0.1");
        await once(server, "listening");
        servers.push(server);
        ports.push(port);
      } catch (error) {
        if (attempt === attempts) throw error;
      }
    }
    return ports;
  } finally {
    for (const server of servers) server.close();
  }
}
