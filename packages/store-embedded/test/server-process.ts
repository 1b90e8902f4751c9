/** An embedded server as a process of its own, for tests that kill it: `server-process.ts DATA_DIR SOCKET`. */
import { EmbeddedServer } from "../src/index.ts";

const [dataDir, socket] = process.argv.slice(2);
if (dataDir === undefined || socket === undefined)
  throw new Error("usage: server-process.ts DATA_DIR SOCKET");
const server = await EmbeddedServer.start({ dataDir, listen: [{ unix: socket }] });
process.stdout.write(`ready ${server.endpoints.join(" ")}\n`);
process.once("SIGTERM", () => {
  server.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
