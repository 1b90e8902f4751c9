// Routes per second into and out of the kernel, and a whole reconcile of 50,000 routes, against `ip -batch` in the same
// run. Rounds alternate; the best round of each counts. Everything happens in a namespace that is removed at the end.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DesiredRoute, RouteReconciler } from "@caracal/dataplane";
import { type IpAddress, Ipv4, Prefix } from "@caracal/net";
import { deleteRoute, newRoute, type Route, RouteProtocol } from "@caracal/netlink";
import {
  createNamespace,
  deleteNamespace,
  LinuxKernel,
  namespacePath,
  Rtnetlink,
  systemClock,
} from "../src/index.ts";

const routeCount = 50_000;
const rounds = 3;

const name = `cb${process.pid}-${randomBytes(3).toString("hex")}`;
const directory = mkdtempSync(join(tmpdir(), "caracal-bench-"));

function destination(i: number): Prefix {
  return Prefix.of(Ipv4.of(0x0b000000 + i * 64), 26);
}

function seconds(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

function batchFile(verb: string): string {
  const file = join(directory, verb);
  const lines = Array.from(
    { length: routeCount },
    (_, i) => `route ${verb} ${Prefix.format(destination(i))} via 10.0.0.2 dev up0 proto 12\n`,
  );
  writeFileSync(file, lines.join(""));
  return file;
}

function ipBatch(file: string): void {
  execFileSync("ip", ["-n", name, "-batch", file]);
}

function route(i: number, interfaceIndex: number, gateway: IpAddress): Route {
  return {
    destination: destination(i),
    type: 1,
    protocol: RouteProtocol.RTPROT_BIRD,
    scope: 0,
    table: 254,
    metric: 0,
    nextHops: [{ interfaceIndex, gateway }],
  };
}

/** Seconds until `routes` are what the kernel has. */
async function reconcile(kernel: LinuxKernel, routes: readonly DesiredRoute[]): Promise<number> {
  const reconciler = new RouteReconciler({
    kernel,
    clock: systemClock,
    sources: [{ name: "bgp", owns: { protocols: [12] }, graceMs: 0 }],
  });
  const start = performance.now();
  reconciler.replace("bgp", routes);
  reconciler.start();
  const status = await reconciler.settled();
  const took = (performance.now() - start) / 1000;
  reconciler.stop();
  if (!status.ready)
    throw new Error(`not in sync: ${status.failures[0]?.detail ?? status.kernelFailure ?? "?"}`);
  return took;
}

async function main(): Promise<void> {
  using ip = Rtnetlink.open(namespacePath(name));
  using kernel = LinuxKernel.open(namespacePath(name));
  ip.addVeth({ name: "up0", up: true }, { name: "peer0", up: true });
  const interfaceIndex = ip.link("up0")?.index ?? 0;
  ip.addAddress({ interfaceIndex, address: Ipv4.of(0x0a000001), prefixLength: 24 });
  const gateway = Ipv4.of(0x0a000002);
  const best = new Map<string, number>();
  const keep = (what: string, took: number): void =>
    void best.set(what, Math.min(best.get(what) ?? Infinity, took));
  const [addFile, deleteFile] = [batchFile("add"), batchFile("del")];
  const routes = Array.from({ length: routeCount }, (_, i) => route(i, interfaceIndex, gateway));
  const wishes = routes.map(({ destination: to, protocol }) => ({
    destination: to,
    protocol,
    nextHops: [{ interfaceName: "up0", gateway }],
  }));
  for (let round = 0; round < rounds; round += 1) {
    keep(
      "ip add",
      seconds(() => ipBatch(addFile)),
    );
    keep(
      "ip delete",
      seconds(() => ipBatch(deleteFile)),
    );
    keep(
      "add",
      seconds(() =>
        ip.socket.batch(
          "route.add",
          routes.map((one) => newRoute(one)),
        ),
      ),
    );
    keep(
      "dump",
      seconds(() => ip.routes({ protocol: 12, family: 4 })),
    );
    keep(
      "delete",
      seconds(() => ip.socket.batch("route.delete", routes.map(deleteRoute))),
    );
    keep("reconcile in", await reconcile(kernel, wishes));
    keep("reconcile nothing", await reconcile(kernel, wishes));
    keep("reconcile out", await reconcile(kernel, []));
  }
  const print = (what: string, peer: string): void => {
    const rate = routeCount / (best.get(what) ?? 0);
    const peerRate = routeCount / (best.get(peer) ?? 0);
    const ratio = (rate / peerRate).toFixed(2);
    console.log(
      `${what.padEnd(18)} ${String(Math.round(rate)).padStart(9)}/s  ${peer} ${Math.round(peerRate)}/s  ratio ${ratio}`,
    );
  };
  console.log(`${routeCount} routes, best of ${rounds} rounds`);
  print("add", "ip add");
  print("delete", "ip delete");
  print("dump", "ip add");
  print("reconcile in", "ip add");
  print("reconcile nothing", "ip add");
  print("reconcile out", "ip delete");
}

createNamespace(name);
try {
  await main();
} finally {
  deleteNamespace(name);
  rmSync(directory, { recursive: true });
}
