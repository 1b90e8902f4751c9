/**
 * Aim: etcd over TLS with client certificates, by address and by name, and only the right server. Method: Debian's etcd on
 * loopback with certificates that openssl makes for it.
 */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Revision } from "@caracal/datastore";
import { requireTool, run, startEtcd, Testbed } from "@caracal/testbed";
import { configFromEnvironment, EtcdStore, type EtcdTls } from "../src/index.ts";

const skip = requireTool("etcd", "etcdctl", "openssl");

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority in a directory of its own. */
class Authority {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(directory: string): Promise<Authority> {
    const authority = new Authority(directory);
    const { key, cert } = authority.#paths("ca");
    const subject = ["-subj", "/CN=testbed", "-days", "1"];
    await run(["openssl", "req", "-x509", ...newKey, "-keyout", key, "-out", cert, ...subject]);
    return authority;
  }

  get cert(): string {
    return this.#paths("ca").cert;
  }

  /** A certificate for these names, `IP:127.0.0.1` or `DNS:localhost`. */
  async issue(name: string, alternatives: string): Promise<Pair> {
    const ca = this.#paths("ca");
    const { key, cert } = this.#paths(name);
    const request = join(this.#directory, `${name}.csr`);
    const extensions = join(this.#directory, `${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${alternatives}\n`);
    await run(["openssl", "req", ...newKey, "-keyout", key, "-out", request, "-subj", `/CN=${name}`]);
    const signing = ["-CA", ca.cert, "-CAkey", ca.key, "-CAcreateserial", "-days", "1"];
    await run(["openssl", "x509", "-req", "-in", request, "-out", cert, ...signing, "-extfile", extensions]);
    return { key, cert };
  }

  #paths(name: string): Pair {
    return { key: join(this.#directory, `${name}.key`), cert: join(this.#directory, `${name}.crt`) };
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const textOf = (path: string): string => readFileSync(path, "utf8");

async function open(t: TestContext, endpoint: string, tls: EtcdTls): Promise<EtcdStore> {
  const store = new EtcdStore({ endpoints: [endpoint], tls });
  t.after(() => store.close());
  return store;
}

test(
  "etcd over TLS is reached by address and by name, and a wrong certificate is refused",
  { skip },
  async (t) => {
    await using bed = Testbed.create();
    const authority = await Authority.create(bed.directory("tls"));
    const server = await authority.issue("server", "IP:127.0.0.1,DNS:localhost");
    const client = await authority.issue("client", "DNS:client");
    const etcd = await startEtcd(bed, { tls: { ca: authority.cert, ...server } });
    assert.ok(etcd.tlsEndpoint !== undefined);
    const ca = textOf(authority.cert);
    const login = { ca, cert: textOf(client.cert), key: textOf(client.key) };

    const byAddress = await open(t, etcd.tlsEndpoint, login);
    assert.equal((await byAddress.create("/tls/a", "1")).kind, "ok");
    const byName = await open(t, etcd.tlsEndpoint.replace("127.0.0.1", "localhost"), login);
    assert.equal((await byName.get("/tls/a"))?.value, "1");
    const { revision } = await byAddress.list("/tls/");
    await byName.create("/tls/b", "2");
    for await (const batch of byAddress.watch("/tls/", revision, new AbortController().signal)) {
      assert.equal(batch.length, 1);
      break;
    }

    const nobody = await open(t, etcd.tlsEndpoint, { ca });
    await assert.rejects(nobody.get("/tls/a"), {
      code: "unavailable",
      message: /: it wants a client certificate that it knows/,
    });
    const garbled = await open(t, etcd.tlsEndpoint, { ...login, cert: "not PEM" });
    await assert.rejects(garbled.get("/tls/a"), /: a certificate or key that was given is no PEM text$/);
    const stranger = await Authority.create(bed.directory("stranger"));
    const distrustful = await open(t, etcd.tlsEndpoint, { ...login, ca: textOf(stranger.cert) });
    await assert.rejects(distrustful.get("/tls/a"), /its certificate is not of the authority given/);
  },
);

test("certificates that are renewed on the disk are used for the next connections", { skip }, async (t) => {
  await using bed = Testbed.create();
  const authority = await Authority.create(bed.directory("tls"));
  const server = await authority.issue("server", "IP:127.0.0.1");
  const etcd = await startEtcd(bed, { tls: { ca: authority.cert, ...server } });
  // To begin with one that the server does not trust: it stands for one that has expired.
  const stranger = await (await Authority.create(bed.directory("stranger"))).issue("client", "DNS:client");
  const directory = bed.directory("client");
  const [cert, key] = [join(directory, "tls.crt"), join(directory, "tls.key")];
  const write = (pair: Pair): void => {
    copyFileSync(pair.cert, cert);
    copyFileSync(pair.key, key);
  };
  write(stranger);
  const environment = {
    ETCD_ENDPOINTS: etcd.tlsEndpoint,
    ETCD_CA_CERT_FILE: authority.cert,
    ETCD_CERT_FILE: cert,
    ETCD_KEY_FILE: key,
  };
  const config = configFromEnvironment(environment, textOf);
  assert.ok(config !== undefined);
  const store = new EtcdStore(config);
  t.after(() => store.close());
  await assert.rejects(store.get("/a"), { code: "unavailable" });
  const watching = watchOne(store);
  rmSync(key);
  await assert.rejects(store.get("/a"), { code: "unavailable" });
  write(await authority.issue("client", "DNS:client"));
  assert.equal((await store.create("/tls/renewed", "1")).kind, "ok");
  assert.equal(await watching, "/tls/renewed");
});

/** The first key under `/tls/` that a watch from the beginning tells of. */
async function watchOne(store: EtcdStore): Promise<string | undefined> {
  for await (const [event] of store.watch("/tls/", Revision.of("1"), new AbortController().signal))
    return event?.kind === "put" ? event.entry.key : undefined;
  return undefined;
}

test("a certificate that is another server's is refused", { skip }, async (t) => {
  await using bed = Testbed.create();
  const authority = await Authority.create(bed.directory("tls"));
  const server = await authority.issue("server", "IP:127.0.0.9,DNS:elsewhere");
  const client = await authority.issue("client", "DNS:client");
  const etcd = await startEtcd(bed, { tls: { ca: authority.cert, ...server } });
  assert.ok(etcd.tlsEndpoint !== undefined);
  const login = { ca: textOf(authority.cert), cert: textOf(client.cert), key: textOf(client.key) };
  const store = await open(t, etcd.tlsEndpoint, login);
  await assert.rejects(store.get("/a"), /127\.0\.0\.1 is not in the cert's list/);
});
