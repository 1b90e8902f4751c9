/**
 * Aim: a real API server is reached through every kind of proxy, and takes us for the one that a kubeconfig says to act as.
 * Method: proxies of the test on loopback that pass on what they are asked to connect to, and RBAC of the server for the other user.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttp, type Server as HttpServer } from "node:http";
import { createServer as createHttps } from "node:https";
import { connect, createServer as createTcp, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { type Store, StoreError } from "@caracal/datastore";
import {
  type KubeApiserver,
  requireKubeApiserver,
  requireTool,
  run,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";
import { type ApiServer, crdDocuments, KubernetesStore, openKubernetesStore } from "../src/index.ts";
import { adminOf } from "./admin-server.ts";

const skip = requireKubeApiserver() || requireTool("etcd", "openssl");
const tiers = "/calico/resources/v3/projectcalico.org/tiers/";

describe("an API server behind others", { skip }, () => {
  const bed = Testbed.create();
  const stores: Store[] = [];
  let server: KubeApiserver | undefined;

  function kube(): KubeApiserver {
    assert.ok(server !== undefined);
    return server;
  }

  function open(more: Partial<ApiServer>): Store {
    return kept(new KubernetesStore({ server: { ...adminOf(kube()), ...more } }));
  }

  function kept(store: Store): Store {
    stores.push(store);
    return store;
  }

  before(async () => {
    server = await startKubeApiserver(bed, { definitions: crdDocuments("crd.projectcalico.org") });
  });

  after(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await bed.close();
  });

  test("a proxy that is reached over TLS, with a login", async (t) => {
    const directory = bed.directory("proxy");
    const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
    const names = ["-subj", "/CN=proxy", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"];
    await run([
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      ...names,
      "-keyout",
      key,
      "-out",
      cert,
    ]);
    const asked: string[] = [];
    const proxy = createHttps({ cert: readFileSync(cert), key: readFileSync(key) });
    passOn(proxy, asked);
    const port = await listen(t, proxy);
    const ca = `${kube().ca}\n${readFileSync(cert, "utf8")}`;
    const proxied = open({ ca, proxyUrl: `https://me:p%40ss@127.0.0.1:${port}` });
    assert.equal((await proxied.list(tiers)).entries.length, 0);
    assert.deepEqual(asked, [`${new URL(kube().url).host} Basic ${base64("me:p@ss")}`]);

    const strange = open({ proxyUrl: `https://127.0.0.1:${port}` });
    assert.match(
      await failure(() => strange.list(tiers)),
      /: the proxy 127\.0\.0\.1:\d+: its certificate is self-signed/,
    );
  });

  test("a SOCKS proxy, by address and by name, with a login and without", async (t) => {
    const asked: string[] = [];
    const port = await listen(t, socksProxy(asked, { name: "me", password: "secret" }));
    const { port: kubePort } = new URL(kube().url);
    for (const [url, proxyUrl] of [
      [kube().url, `socks5://127.0.0.1:${port}`],
      [`https://localhost:${kubePort}`, `socks5h://me:secret@127.0.0.1:${port}`],
    ] as const) {
      assert.equal((await open({ url, proxyUrl }).list(tiers)).entries.length, 0);
    }
    assert.deepEqual(asked, [`127.0.0.1:${kubePort}`, `localhost:${kubePort} as me`]);
    const wrong = open({ proxyUrl: `socks5://me:wrong@127.0.0.1:${port}` });
    assert.match(await failure(() => wrong.list(tiers)), /the proxy 127\.0\.0\.1:\d+: it refuses the login$/);
    const nowhere = open({ url: "https://127.0.0.1:1", proxyUrl: `socks5://127.0.0.1:${port}` });
    assert.match(await failure(() => nowhere.list(tiers)), /does not connect: the connection was refused$/);
    const noProxy = open({ proxyUrl: `socks5://127.0.0.1:${await listen(t, createHttp())}` });
    assert.match(await failure(() => noProxy.list(tiers)), /does not speak SOCKS 5$/);
  });

  test("the proxy that the environment names", async (t) => {
    const asked: string[] = [];
    const proxy = createHttp();
    passOn(proxy, asked);
    const port = await listen(t, proxy);
    const file = join(bed.directory("environment"), "config");
    const { host, port: kubePort } = new URL(kube().url);
    // The name is in the server's certificate, and the proxy alone knows where it is.
    const url = `https://kubernetes.default:${kubePort}`;
    writeFileSync(file, readFileSync(kube().kubeconfig, "utf8").replace(kube().url, url));
    const environment = { KUBECONFIG: file, HTTPS_PROXY: `127.0.0.1:${port}` };
    assert.equal((await kept(await openKubernetesStore(environment)).list(tiers)).entries.length, 0);
    assert.deepEqual(asked, [`kubernetes.default:${kubePort}`]);
    const excepted = { KUBECONFIG: kube().kubeconfig, HTTPS_PROXY: `127.0.0.1:${port}`, NO_PROXY: host };
    assert.equal((await kept(await openKubernetesStore(excepted)).list(tiers)).entries.length, 0);
    assert.equal(asked.length, 1);
  });

  test("the server takes us for the one to act as, with groups and all", async () => {
    const file = join(bed.directory("acting"), "config");
    const original: unknown = JSON.parse(readFileSync(kube().kubeconfig, "utf8"));
    const actAs = async (as: object): Promise<Store> => {
      const user = { token: kube().token, ...as };
      writeFileSync(file, JSON.stringify({ ...Object(original), users: [{ name: "admin", user }] }));
      return kept(await openKubernetesStore({ KUBECONFIG: file }));
    };
    const nobody = await actAs({ as: "jane" });
    assert.match(await failure(() => nobody.list(tiers)), /User "jane" cannot list resource "tiers"/);
    const master = await actAs({
      as: "jane",
      "as-groups": ["readers", "system:masters"],
      "as-user-extra": { "example.org/reason (why)": ["a", "b"] },
    });
    assert.equal((await master.create(`${tiers}as-jane`, '{"spec":{"order":7}}')).kind, "ok");
  });
});

/** A proxy as of RFC 9110 §9.3.6; everything is on this host. */
function passOn(proxy: HttpServer, asked: string[]): void {
  proxy.on("connect", ({ url = "", headers }, near: Socket) => {
    const login = headers["proxy-authorization"];
    asked.push(login === undefined ? url : `${url} ${login}`);
    connectEnds(near, Number(url.split(":").at(-1)), () => void near.write("HTTP/1.1 200 OK\r\n\r\n"));
  });
}

/** Connects two ends; `ready` before anything passes. */
function connectEnds(
  near: Socket,
  port: number,
  ready: () => void,
  failed: () => void = () => near.destroy(),
): void {
  const far = connect(port, "127.0.0.1", () => {
    ready();
    far.pipe(near).pipe(far);
  });
  near.on("error", () => far.destroy());
  far.on("error", failed);
}

/** RFC 1928, with the login of RFC 1929 where the client offers it. */
function socksProxy(asked: string[], login: Login): Server {
  return createTcp((near) => {
    near.on("error", () => undefined);
    void serveSocks(near, asked, login);
  });
}

interface Login {
  readonly name: string;
  readonly password: string;
}

async function serveSocks(near: Socket, asked: string[], login: Login): Promise<void> {
  const bytes = async (count: number): Promise<Buffer> => {
    for (;;) {
      const found: unknown = near.read(count);
      if (found instanceof Buffer) return found;
      await once(near, "readable");
    }
  };
  const words = async (): Promise<string> => (await bytes((await bytes(1))[0] ?? 0)).toString();
  const methods = await bytes((await bytes(2))[1] ?? 0);
  const wantsLogin = methods.includes(2);
  near.write(Buffer.from([5, wantsLogin ? 2 : 0]));
  if (wantsLogin) {
    await bytes(1);
    const isRight = (await words()) === login.name && (await words()) === login.password;
    near.write(Buffer.from([1, isRight ? 0 : 1]));
    if (!isRight) return;
  }
  const [, , , kind] = await bytes(4);
  const host = kind === 1 ? [...(await bytes(4))].join(".") : await words();
  const port = (await bytes(2)).readUInt16BE();
  asked.push(`${host}:${port}${wantsLogin ? ` as ${login.name}` : ""}`);
  const answer = (code: number): void => void near.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]));
  connectEnds(
    near,
    port,
    () => answer(0),
    () => answer(5),
  );
}

async function listen(t: TestContext, listener: Server): Promise<number> {
  const sockets = new Set<Socket>();
  listener.on("connection", (socket: Socket) => sockets.add(socket));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

async function failure(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof StoreError);
    return error.message;
  }
  return assert.fail("nothing was thrown");
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
