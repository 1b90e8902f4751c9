// What a command costs a person who waits: `calicoctl get ippool` over the embedded store against `etcdctl get` of the same
// key over the same connection, started alternately; medians. Besides, what asks no datastore: help, and what a shell waits for at
// each press of Tab. An empty Node program shows how much of it is Node's own.
// Run: npm run bench -- start
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { EmbeddedServer } from "@caracal/store-embedded";

const rounds = 15;
const run = promisify(execFile);
const calicoctl = fileURLToPath(new URL("../../../bin/calicoctl", import.meta.url));
const manifest = {
  apiVersion: "projectcalico.org/v3",
  kind: "IPPool",
  metadata: { name: "p" },
  spec: { cidr: "10.244.0.0/16" },
};

const directory = await mkdtemp(join(tmpdir(), "caracal-bench-"));
const server = await EmbeddedServer.start({
  dataDir: join(directory, "data"),
  listen: [{ host: "127.0.0.1", port: 0 }],
});
try {
  const [endpoint = ""] = server.endpoints;
  const env = { ...process.env, ETCD_ENDPOINTS: endpoint, ETCDCTL_API: "3" };
  const apply = run(calicoctl, ["apply", "-f", "-"], { env });
  apply.child.stdin?.end(JSON.stringify(manifest));
  await apply;
  const programs: Readonly<Record<string, () => Promise<unknown>>> = {
    "calicoctl get ippool": () => run(calicoctl, ["get", "ippool"], { env }),
    "etcdctl get": () =>
      run(
        "etcdctl",
        ["--endpoints", endpoint, "get", "--prefix", "/calico/resources/v3/projectcalico.org/ippools/"],
        { env },
      ),
    "calicoctl --help": () => run(calicoctl, ["--help"]),
    "completion of a kind": () => run(calicoctl, ["__complete", "get", "ippo"]),
    "node -e 0": () => run(process.execPath, ["-e", "0"], { env }),
  };
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, start] of Object.entries(programs)) {
      const begin = performance.now();
      await start();
      times.set(name, [...(times.get(name) ?? []), performance.now() - begin]);
    }
  }
  const median = (name: string): number =>
    times.get(name)?.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN;
  for (const name of Object.keys(programs))
    console.log(`${name.padEnd(22)} ${median(name).toFixed(0).padStart(5)} ms`);
  console.log(`ratio to etcdctl: ${(median("calicoctl get ippool") / median("etcdctl get")).toFixed(1)}`);
} finally {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}
