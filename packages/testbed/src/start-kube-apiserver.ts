import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as openRequest } from "node:https";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import type { Program } from "./program.ts";
import { requireTool } from "./requirement.ts";
import { run } from "./run.ts";
import { type EtcdDaemon, startEtcd } from "./start-etcd.ts";
import type { Testbed } from "./testbed.ts";

/** How to start a Kubernetes API server. */
export interface KubeApiserverOptions {
  /** The store below it; one of its own unless told. Several servers may share one. */
  readonly etcd?: EtcdDaemon;
  /** CustomResourceDefinitions to apply. */
  readonly definitions?: readonly object[];
  /** Added to the command line. */
  readonly args?: readonly string[];
}

/** A running Kubernetes API server on loopback, with a user that may do everything. */
export interface KubeApiserver {
  readonly program: Program;
  readonly etcd: EtcdDaemon;
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** PEM text of the authority of the server's certificate, and of clients' that it accepts. */
  readonly ca: string;
  /** Paths of the certificate and key of a client in group `system:masters`. */
  readonly clientCert: { readonly cert: string; readonly key: string };
  /** The bearer token of a user in group `system:masters`. */
  readonly token: string;
  /** The bearer token of the user `restricted`, who may do nothing unless RBAC says so. */
  readonly restrictedToken: string;
  /** Path of a kubeconfig file with the token. */
  readonly kubeconfig: string;
  /** One request with the token; an answer of 400 and above is thrown. */
  readonly request: (method: string, path: string, body?: object, contentType?: string) => Promise<unknown>;
}

const PORT_ATTEMPTS = 3;
const READY_DEADLINE_MS = 240_000;

/** `false` when `KUBE_APISERVER` names a kube-apiserver that works, otherwise the reason to skip. */
export function requireKubeApiserver(): string | false {
  const path = process.env["KUBE_APISERVER"] ?? "";
  if (path === "") return "KUBE_APISERVER does not name a kube-apiserver executable";
  const missing = requireTool(path);
  if (missing !== false) return missing;
  return crashes(readFileSync(path))
    ? `${path} crashes at the first custom resource: its reflect2 (before 1.0.2) is older than its Go (1.18 or newer)`
    : false;
}

/** reflect2 1.0.1 iterates maps by a call that Go 1.18 changed; what came with 1.0.2 is named in the program's tables. */
function crashes(program: Buffer): boolean {
  const has = (text: string): boolean => program.includes(text, 0, "latin1");
  const isNewGo = /go1\.(1[89]|[2-9]\d)/.test(goVersion(program));
  return isNewGo && has("modern-go/reflect2/") && !has("modern-go/reflect2/go_above_118.go");
}

/** Go notes its version right before its modules, `go1.19.8`, as it does nowhere else with three numbers. */
function goVersion(program: Buffer): string {
  for (let at = program.indexOf("go1."); at >= 0; at = program.indexOf("go1.", at + 1)) {
    const [found] = /^go1\.\d+\.\d+/.exec(program.toString("latin1", at, at + 16)) ?? [];
    if (found !== undefined) return found;
  }
  return "";
}

/** Starts an API server; resolves when it is ready and knows the definitions. */
export async function startKubeApiserver(
  bed: Testbed,
  options: KubeApiserverOptions = {},
): Promise<KubeApiserver> {
  const etcd = options.etcd ?? (await startEtcd(bed));
  for (let attempt = 1; ; attempt++) {
    const server = await startOnce(bed, etcd, options.args ?? []);
    if (server.program.isRunning) {
      for (const definition of options.definitions ?? []) await define(server, definition);
      for (const definition of options.definitions ?? []) await untilServed(server, definition);
      return server;
    }
    if (attempt === PORT_ATTEMPTS) throw new Error(`kube-apiserver ended at once:\n${server.program.output}`);
  }
}

async function startOnce(bed: Testbed, etcd: EtcdDaemon, extra: readonly string[]): Promise<KubeApiserver> {
  const directory = bed.directory("kube");
  const [port] = await freePorts(1);
  const files = await makeKeys(directory);
  const [token, restrictedToken] = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")];
  const tokens = join(directory, "tokens.csv");
  writeFileSync(tokens, `${token},admin,1,system:masters\n${restrictedToken},restricted,2,\n`);
  const flags = {
    "etcd-servers": etcd.endpoint,
    "service-account-key-file": files.account,
    "service-account-signing-key-file": files.account,
    "service-account-issuer": "https://kubernetes.default",
    "service-cluster-ip-range": "10.96.0.0/16",
    "cert-dir": directory,
    "tls-cert-file": files.server.cert,
    "tls-private-key-file": files.server.key,
    "client-ca-file": files.ca,
    "token-auth-file": tokens,
    "authorization-mode": "RBAC",
    "bind-address": "127.0.0.1",
    "secure-port": String(port),
    "disable-admission-plugins": "ServiceAccount",
  };
  const argv = [
    process.env["KUBE_APISERVER"] ?? "kube-apiserver",
    ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    ...extra,
  ];
  // A crash then says where, and not where its thousand other goroutines were.
  const program = await bed.start(argv, { env: { GOTRACEBACK: "single" } });
  const url = `https://127.0.0.1:${port}`;
  const ca = readFileSync(files.ca, "utf8");
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, JSON.stringify(kubeconfigOf(url, files.ca, token)));
  const request: KubeApiserver["request"] = (method, path, body, contentType) =>
    exchange({ url: `${url}${path}`, ca, token, method, body, contentType });
  const isReady = async (): Promise<boolean> => {
    if (!program.isRunning) return true;
    await request("GET", "/readyz");
    // Made by the server itself, a moment after it is ready.
    await request("GET", "/api/v1/namespaces/default");
    return true;
  };
  await eventually(isReady, { what: "a ready kube-apiserver", deadlineMs: READY_DEADLINE_MS });
  return {
    program,
    etcd,
    url,
    ca,
    clientCert: files.client,
    token,
    restrictedToken,
    kubeconfig,
    request,
  };
}

interface Keys {
  readonly account: string;
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** An authority, the server's and a client's certificate, and the key of service accounts. */
async function makeKeys(directory: string): Promise<Keys> {
  mkdirSync(directory, { recursive: true });
  const path = (name: string): string => join(directory, name);
  const openssl = (...args: readonly string[]): Promise<unknown> => run(["openssl", ...args]);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl("genrsa", "-out", path("account.key"), "2048");
  const self = ["-x509", "-days", "2", "-subj", "/CN=testbed", "-out", path("ca.pem")];
  await openssl("req", ...newKey, "-keyout", path("ca.key"), ...self);
  const sign = async (name: string, subject: string, extensions: string) => {
    writeFileSync(path(`${name}.ext`), extensions);
    const pair = { cert: path(`${name}.pem`), key: path(`${name}.key`) };
    await openssl("req", ...newKey, "-keyout", pair.key, "-subj", subject, "-out", path(`${name}.csr`));
    const by = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2"];
    const named = ["-in", path(`${name}.csr`), "-extfile", path(`${name}.ext`), "-out", pair.cert];
    await openssl("x509", "-req", ...by, ...named);
    return pair;
  };
  const names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default\n";
  return {
    account: path("account.key"),
    ca: path("ca.pem"),
    server: await sign("server", "/CN=kube-apiserver", names),
    client: await sign("client", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth\n"),
  };
}

function kubeconfigOf(server: string, ca: string, token: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "testbed", cluster: { server, "certificate-authority": ca } }],
    users: [{ name: "admin", user: { token } }],
    contexts: [{ name: "testbed", context: { cluster: "testbed", user: "admin" } }],
    "current-context": "testbed",
  };
}

async function define(server: KubeApiserver, definition: object): Promise<void> {
  await server.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
}

/** A definition is served a moment after it was accepted. */
async function untilServed(server: KubeApiserver, definition: object): Promise<void> {
  const { spec } = JSON.parse(JSON.stringify(definition));
  const path = `/apis/${spec.group}/${spec.versions[0].name}/${spec.names.plural}?limit=1`;
  await eventually(async () => (await server.request("GET", path)) !== undefined, {
    what: `the API server to serve ${path}`,
    deadlineMs: READY_DEADLINE_MS,
  });
}

interface Exchange {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
  readonly method: string;
  readonly body: object | undefined;
  readonly contentType: string | undefined;
}

function exchange({ url, ca, token, method, body, contentType }: Exchange): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": contentType ?? "application/json" };
    const request = openRequest(url, { method, ca, headers, agent: false }, (answer) => {
      const chunks: string[] = [];
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => chunks.push(chunk));
      answer.on("end", () => {
        const text = chunks.join("");
        const status = answer.statusCode ?? 0;
        if (status >= 400) reject(new Error(`${method} ${url}: ${status} ${text}`));
        else resolve(text.startsWith("{") ? JSON.parse(text) : text);
      });
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
