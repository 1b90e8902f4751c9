/**
 * Stands in for `caracal` where a test is about the lab alone: a store that only listens, and a node daemon that answers
 * CNI calls with veth pairs made by `ip` and learns its neighbours' blocks from the lab's directory instead of by BGP.
 * FAKE_NODE in its environment makes it misbehave: exit, hang, no-routes, no-pods.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { ControlServer } from "@caracal/control";

const [first, second, ...rest] = process.argv.slice(2);
const runDirectory = process.env["CARACAL_RUN_DIR"] ?? "";
const nodesDirectory = join(runDirectory, "../..");
const misbehaviour = process.env["FAKE_NODE"] ?? "";
const ROUTE_POLL_MS = 20;

if (first === "datastore") await serveStore(rest);
else if (first === "lab" && second === "relay") await serveStore(["--listen", `unix://${rest[0] ?? ""}`]);
else if (first === "node" && second === "run") await runNode();
else if (first === "delete" && second === "node") process.exit(rest[0] === undefined ? 1 : 0);

async function serveStore(args: readonly string[]): Promise<void> {
  for (const address of args.filter((_, index) => args[index - 1] === "--listen")) {
    const server = createServer((socket) => socket.on("error", () => undefined).resume());
    server.on("error", (error) => {
      process.stderr.write(`Error: cannot listen on ${address}: ${error.message}\n`);
      process.exit(1);
    });
    const path = /^unix:\/\/(.*)/.exec(address)?.[1];
    if (path !== undefined) {
      rmSync(path, { force: true });
      server.listen(path);
    } else server.listen(Number(address.split(":").at(-1)), "127.0.0.1");
    await once(server, "listening");
  }
}

async function runNode(): Promise<void> {
  if (misbehaviour === "exit") {
    process.stderr.write("starting\nError: no address was found\n");
    process.exit(1);
  }
  const address = ownAddress();
  writeFileSync(join(runDirectory, "fake.json"), JSON.stringify({ address }));
  let podCount = 0;
  if (misbehaviour !== "hang") {
    await ControlServer.listen({
      path: join(runDirectory, "control.sock"),
      methods: {
        health: () => ({}),
        "node.status": () => describe(address),
        cni: (params) => answerCni(params, () => `${blockOf(address)}.${++podCount}`),
      },
    });
  }
  if (misbehaviour !== "no-routes") setInterval(() => learnRoutes(address), ROUTE_POLL_MS);
  setInterval(() => undefined, 1 << 30);
}

function answerCni(params: unknown, nextAddress: () => string): unknown {
  const read = (key: string): string => String(Reflect.get(Object(params), key));
  if (misbehaviour === "no-pods" && read("command") === "ADD") {
    return {
      exitCode: 1,
      stdout: JSON.stringify({ cniVersion: "1.0.0", code: 999, msg: "no pool", details: "" }),
    };
  }
  const link = `cali${createHash("sha1").update(read("containerId")).digest("hex").slice(0, 11)}`;
  if (read("command") === "DEL") {
    try {
      ip("link", "delete", link);
    } catch {
      // It went with the pod.
    }
    return { exitCode: 0, stdout: "" };
  }
  const address = nextAddress();
  const pod = basename(read("netns"));
  ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pod);
  writeFileSync(`/proc/sys/net/ipv4/conf/${link}/proxy_arp`, "1");
  writeFileSync(`/proc/sys/net/ipv4/neigh/${link}/proxy_delay`, "0");
  ip("link", "set", link, "up");
  ip("-n", pod, "address", "add", `${address}/32`, "dev", "eth0");
  ip("-n", pod, "link", "set", "eth0", "up");
  ip("-n", pod, "route", "add", "169.254.1.1", "dev", "eth0");
  ip("-n", pod, "route", "add", "default", "via", "169.254.1.1");
  ip("route", "add", `${address}/32`, "dev", link);
  return {
    exitCode: 0,
    stdout: JSON.stringify({ cniVersion: "1.0.0", ips: [{ address: `${address}/32` }] }),
  };
}

const known = new Set<string>();

function learnRoutes(own: string): void {
  for (const address of neighbours()) {
    if (address === own || known.has(address)) continue;
    known.add(address);
    ip("route", "replace", `${blockOf(address)}.0/24`, "via", address, "proto", "bird");
  }
}

function neighbours(): readonly string[] {
  return readdirSync(nodesDirectory).flatMap((node) => {
    try {
      const value: unknown = JSON.parse(readFileSync(join(nodesDirectory, node, "run/fake.json"), "utf8"));
      return [String(Reflect.get(Object(value), "address"))];
    } catch {
      return [];
    }
  });
}

function describe(own: string): unknown {
  const others = neighbours().filter((address) => address !== own);
  const peers = others.map((address) => {
    const name = `Mesh_${address.replaceAll(".", "_")}`;
    return { name, address, state: "Established", lastError: "" };
  });
  return { isReady: true, bgp: { peers } };
}

function ownAddress(): string {
  return /inet ([0-9.]+)\//.exec(ip("-4", "address", "show", "eth0"))?.[1] ?? "";
}

/** A block per node, by the last byte of its address. */
function blockOf(address: string): string {
  return `10.244.${address.split(".").at(-1) ?? "0"}`;
}

function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
