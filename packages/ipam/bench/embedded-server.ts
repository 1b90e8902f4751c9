/** The embedded store in a process of its own, as a node runs it: `node embedded-server.ts DIRECTORY SOCKET`. */
import { EmbeddedServer } from "@caracal/store-embedded";

const [dataDir = "", path = ""] = process.argv.slice(2);
await EmbeddedServer.start({ dataDir, listen: [{ unix: path }] });
console.log("ready");
