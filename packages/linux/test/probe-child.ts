// Probes an interface of the namespace it runs in, and prints the verdict: argv is interface, own address, other's address.
import { offload, probeTxChecksum } from "../src/index.ts";

const [interfaceName = "", from = "", to = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const verdict = await probeTxChecksum({ interfaceName, from, to, signal });
process.stdout.write(`${verdict} ${offload.readTxChecksum(interfaceName) ? "on" : "off"}\n`);
