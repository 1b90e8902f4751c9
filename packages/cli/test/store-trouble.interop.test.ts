/**
 * Aim: a datastore that is slow, silent, cut off, or refuses a user costs one clear line, and leaves every resource whole or
 * absent; with several endpoints one that dies in the middle of a command is not noticed. Method: Debian's etcd on loopback behind
 * a TCP proxy that holds bytes back or cuts them off, and the commands as a person would type them.
 */
import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { keys } from "@caracal/datastore";
import { EtcdStore } from "@caracal/store-etcd";
import { type EtcdDaemon, freePorts, requireTool, startEtcd, Testbed } from "@caracal/testbed";
import { openStore } from "../src/connection/open-store.ts";
import { type Outcome, run } from "./test-context.ts";

/** Passes bytes on to etcd as told. */
class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How long each piece of an answer waits. */
  delayMs = 0;
  /** Calls that are let through from now on; the next one finds the line cut. */
  callsLeft = Infinity;
  /** Whether nobody is let in. */
  isShut = false;
  /** Whether answers are held back for ever. */
  isSilent = false;

  private constructor(target: number) {
    this.#server = createServer((near) => {
      const far = connect(target, "127.0.0.1");
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.once("close", () => {
          near.destroy();
          far.destroy();
        });
      }
      if (this.isShut) near.destroy();
      near.on("data", (bytes: Buffer) => {
        // A request's path travels with its first frame; a cut falls between two calls, or into an answer.
        if (bytes.includes(grpcFrame)) this.callsLeft -= 1;
        if (this.callsLeft < 0) near.destroy();
        else far.write(bytes);
      });
      far.on("data", (bytes) => {
        if (!this.isSilent) setTimeout(() => near.write(bytes), this.delayMs);
      });
    });
  }

  static async start(endpoint: string): Promise<Proxy> {
    const proxy = new Proxy(Number(new URL(endpoint).port));
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get endpoint(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** An HTTP/2 DATA frame's head (RFC 9113 §6.1) that ends its stream: the end of a call's request. */
const grpcFrame = Buffer.from([0x00, 0x01, 0x00, 0x00]);

function tiers(names: readonly string[]): string {
  return names
    .map(
      (name) =>
        `apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: ${name}}\nspec: {order: 10}\n`,
    )
    .join("---\n");
}

describe("a datastore in trouble", { skip: requireTool("etcd", "etcdctl") }, () => {
  const bed = Testbed.create();
  const proxies: Proxy[] = [];
  let etcd: EtcdDaemon | undefined;

  before(async () => {
    etcd = await startEtcd(bed);
  });

  after(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await bed.close();
  });

  function daemon(): EtcdDaemon {
    assert.ok(etcd !== undefined);
    return etcd;
  }

  async function proxyOf(): Promise<Proxy> {
    const proxy = await Proxy.start(daemon().endpoint);
    proxies.push(proxy);
    return proxy;
  }

  async function ctl(
    endpoints: string,
    line: string | readonly string[],
    more: {
      readonly stdin?: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
    } = {},
  ): Promise<Outcome> {
    const { stdin = "", env = {}, timeoutMs } = more;
    return run(line, {
      env: { ETCD_ENDPOINTS: endpoints, ...env },
      stdin,
      openStore: async (config) =>
        timeoutMs === undefined
          ? openStore(config)
          : new EtcdStore({ endpoints: endpoints.split(","), requestTimeoutMs: timeoutMs }),
    });
  }

  async function tierNames(): Promise<readonly string[]> {
    const { stdout } = await ctl(daemon().endpoint, [
      "get",
      "tiers",
      "-o",
      "go-template={{range .}}{{range .items}}{{.metadata.name}} {{end}}{{end}}",
    ]);
    return stdout.split(" ").filter((name) => name !== "");
  }

  test("a slow one is waited for", async () => {
    const proxy = await proxyOf();
    proxy.delayMs = 300;
    const applied = await ctl(proxy.endpoint, "apply -f -", { stdin: tiers(["slow-1", "slow-2"]) });
    assert.deepEqual(applied, {
      exitCode: 0,
      stdout: "Successfully applied 2 'Tier' resource(s)\n",
      stderr: "",
    });
  });

  test("a silent one is given up after the time-out, in one line", async () => {
    const proxy = await proxyOf();
    proxy.isSilent = true;
    const found = await ctl(proxy.endpoint, "get tiers", { timeoutMs: 500 });
    assert.deepEqual(found, {
      exitCode: 1,
      stdout: "",
      stderr: `cannot reach the datastore: ${proxy.endpoint}: no answer in time; check ETCD_ENDPOINTS or calicoctl.cfg\n`,
    });
  });

  test("a line that is cut at any call says how far it came, and nothing is half-written", async () => {
    const names = ["cut-a", "cut-b", "cut-c", "cut-d"];
    for (let calls = 0; calls < 12; calls++) {
      const proxy = await proxyOf();
      proxy.callsLeft = calls;
      const { exitCode, stdout, stderr } = await ctl(proxy.endpoint, "create -f -", { stdin: tiers(names) });
      await proxy.stop();
      const there = (await tierNames()).filter((name) => names.includes(name));
      const told = /^Partial success: created the first (\d) out of 4 'Tier' resources:\n$/.exec(stdout);
      const count = stdout === "Successfully created 4 'Tier' resource(s)\n" ? 4 : Number(told?.[1] ?? 0);
      if (count === 4) {
        assert.deepEqual([exitCode, stderr], [0, ""]);
      } else {
        assert.equal(exitCode, 1);
        assert.match(stderr, /^[^\n]*cannot reach the datastore: [^\n]*\n$/);
      }
      // The one that was under way may have arrived without its answer.
      assert.ok(there.length === count || there.length === count + 1, `${there.length} of ${count} told`);
      assert.deepEqual(there, names.slice(0, there.length));
      if (there.length > 0) await ctl(daemon().endpoint, ["delete", "tier", ...there]);
    }
  });

  test("one of several that dies in the middle of a command is not noticed", async () => {
    const [deadPort] = await freePorts(1);
    const proxy = await proxyOf();
    const endpoints = `http://127.0.0.1:${deadPort},${proxy.endpoint},${daemon().endpoint}`;
    const names = Array.from({ length: 20 }, (_, index) => `over-${index}`);
    const applying = ctl(endpoints, "apply -f -", { stdin: tiers(names) });
    proxy.callsLeft = 15;
    const applied = await applying;
    // The write that was under way when the line broke may not be made twice, so it may be told of.
    if (applied.exitCode !== 0) {
      assert.match(applied.stderr, /^hit error: cannot reach the datastore: [^\n]*\n$/);
      assert.equal((await ctl(endpoints, "apply -f -", { stdin: tiers(names) })).exitCode, 0);
    }
    const found = new Set(await tierNames());
    assert.deepEqual(
      names.filter((name) => !found.has(name)),
      [],
    );
    // Reads go over without a word.
    const reading = await proxyOf();
    reading.callsLeft = 1;
    const read = await ctl(`${reading.endpoint},${daemon().endpoint}`, "get tiers");
    assert.deepEqual([read.exitCode, read.stderr], [0, ""]);
  });

  test("a watch goes on where it was when its line is cut, and starts over after a compaction", async () => {
    const proxy = await proxyOf();
    const stopping = new AbortController();
    let seen = "";
    const watching = run("get tiers --watch -o custom-columns=NAME", {
      env: { ETCD_ENDPOINTS: proxy.endpoint },
      openStore,
      signal: stopping.signal,
      stdout: { write: (text) => void (seen += text) },
    });
    const until = async (text: string): Promise<void> => {
      for (let tries = 0; tries < 200 && !seen.includes(text); tries++)
        await new Promise((r) => setTimeout(r, 50));
      assert.ok(seen.includes(text), `${text} in ${seen}`);
    };
    await until("default");
    for (const name of ["watch-1", "watch-2", "watch-3"]) {
      await ctl(daemon().endpoint, "apply -f -", { stdin: tiers([name]) });
      proxy.cut();
      await until(name);
    }
    // While it is away, the history it needs is thrown away.
    proxy.isShut = true;
    proxy.cut();
    await ctl(daemon().endpoint, "apply -f -", { stdin: tiers(["watch-4"]) });
    const store = await openStore({
      datastoreType: "etcdv3",
      environment: { ETCD_ENDPOINTS: daemon().endpoint },
    });
    assert.ok(store instanceof EtcdStore);
    await store.compact((await store.list(keys.root)).revision);
    await store.close();
    proxy.isShut = false;
    await until("watch-4");
    stopping.abort();
    assert.deepEqual(await watching.then(({ exitCode, stderr }) => [exitCode, stderr]), [0, ""]);
  });

  test("users that are wrong, or may not, are told so in one line", async () => {
    const { etcdctl, endpoint } = daemon();
    await etcdctl("user", "add", "root:secret", "--interactive=false");
    await etcdctl("user", "grant-role", "root", "root");
    await etcdctl("role", "add", "readers");
    await etcdctl(
      "role",
      "grant-permission",
      "readers",
      "--prefix=true",
      "read",
      "/calico/resources/v3/projectcalico.org/tiers/",
    );
    await etcdctl("user", "add", "reader:secret", "--interactive=false");
    await etcdctl("user", "grant-role", "reader", "readers");
    await etcdctl("auth", "enable");
    try {
      const as = (user: string, password: string) => ({
        env: { ETCD_USERNAME: user, ETCD_PASSWORD: password },
      });
      const unauthorized = /^(failed to apply 'Tier' resource: \[)?connection is unauthorized: [^\n]*\n$/;
      for (const [line, user] of [
        ["get tiers", { env: {} }],
        ["get tiers", as("root", "guess")],
        ["get tiers", as("nobody", "secret")],
        ["get nodes", as("reader", "secret")],
        ["apply -f -", as("reader", "secret")],
      ] as const) {
        const { exitCode, stdout, stderr } = await ctl(endpoint, line, { ...user, stdin: tiers(["denied"]) });
        assert.deepEqual([exitCode, stdout], [1, ""], line);
        assert.match(stderr, unauthorized, line);
      }
      const read = await ctl(endpoint, "get tier default", as("reader", "secret"));
      assert.deepEqual([read.exitCode, read.stderr], [0, ""]);
      const applied = await ctl(endpoint, "apply -f -", {
        ...as("root", "secret"),
        stdin: tiers(["allowed"]),
      });
      assert.deepEqual([applied.exitCode, applied.stderr], [0, ""]);
    } finally {
      await etcdctl("--user=root:secret", "auth", "disable");
    }
  });
});
