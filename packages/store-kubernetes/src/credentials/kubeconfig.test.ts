/**
 * Aim: credentials are found where kubectl and Calico find them, and what is wrong with them is one line. Method: files in a
 * directory of the test, variables as arguments, a credential plugin that is a shell script.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { StoreError } from "@caracal/datastore";
import { chosenApiGroup, findApiServer } from "./find-api-server.ts";

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "caracal-kubeconfig-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function config(user: object, cluster: object = {}, more: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server: "https://a:6443", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
    ...more,
  });
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

async function failure(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    throw error;
  }
  return assert.fail("nothing was thrown");
}

test("a context's cluster and user, with texts in the file and files beside it", async (t) => {
  const path = directory(t);
  for (const name of ["ca", "cert", "key"]) writeFileSync(join(path, name), name);
  const file = join(path, "config");
  writeFileSync(
    file,
    config(
      { "client-certificate": "cert", "client-key": join(path, "key") },
      { "certificate-authority": "ca", "tls-server-name": "kube", "proxy-url": "http://p:3128" },
    ),
  );
  const server = await findApiServer({ KUBECONFIG: file });
  const { credentials, ...rest } = server;
  assert.deepEqual(rest, {
    url: "https://a:6443",
    ca: "ca",
    serverName: "kube",
    proxyUrl: "http://p:3128",
    insecureSkipTlsVerify: false,
  });
  assert.deepEqual(await credentials.present(), { certificate: { cert: "cert", key: "key" } });

  const data = {
    "client-certificate-data": base64("C"),
    "client-key-data": base64("K"),
    "client-certificate": "/nowhere",
  };
  writeFileSync(
    file,
    config(data, { "certificate-authority-data": base64("A"), "certificate-authority": "x" }),
  );
  const inline = await findApiServer({ KUBECONFIG: file });
  assert.equal(inline.ca, "A");
  assert.deepEqual(await inline.credentials.present(), { certificate: { cert: "C", key: "K" } });
});

test("tokens, their files, and names with passwords", async (t) => {
  const path = directory(t);
  const token = join(path, "token");
  writeFileSync(token, "one\n");
  const file = join(path, "config");
  const present = async (user: object): Promise<unknown> => {
    writeFileSync(file, config(user));
    return (await findApiServer({ KUBECONFIG: file })).credentials.present();
  };
  assert.deepEqual(await present({ token: "t" }), { authorization: "Bearer t" });
  assert.deepEqual(await present({ token: "t", tokenFile: "token" }), { authorization: "Bearer one" });
  assert.deepEqual(await present({ username: "me", password: "p:w" }), {
    authorization: `Basic ${base64("me:p:w")}`,
  });
  assert.deepEqual(await present({}), {});
  const { credentials } = await findApiServer({
    KUBECONFIG: file,
    K8SAPITOKEN: "x",
    CALICO_K8SAPITOKEN: "y",
  });
  assert.deepEqual(await credentials.present(), { authorization: "Bearer y" });

  writeFileSync(file, config({ tokenFile: "token" }));
  const rotated = (await findApiServer({ KUBECONFIG: file })).credentials;
  assert.deepEqual(await rotated.present(), { authorization: "Bearer one" });
  writeFileSync(token, "two");
  assert.deepEqual(await rotated.present(), { authorization: "Bearer one" });
  rotated.forget();
  assert.deepEqual(await rotated.present(), { authorization: "Bearer two" });
});

test("of several files the first that says something counts, and a missing one is passed over", async (t) => {
  const path = directory(t);
  mkdirSync(join(path, "sub"));
  const [first, second] = [join(path, "first"), join(path, "sub", "second")];
  writeFileSync(join(path, "sub", "ca"), "of the second");
  writeFileSync(
    first,
    JSON.stringify({ users: [{ name: "u", user: { token: "first" } }], "current-context": "y" }),
  );
  writeFileSync(
    second,
    config(
      { token: "second" },
      { "certificate-authority": "ca" },
      {
        contexts: ["x", "y"].map((name) => ({ name, context: { cluster: "c", user: "u" } })),
      },
    ),
  );
  const server = await findApiServer({ KUBECONFIG: `${join(path, "none")}:${first}:${second}` });
  assert.equal(server.ca, "of the second");
  assert.deepEqual(await server.credentials.present(), { authorization: "Bearer first" });
});

test("settings of Calico's own beside a kubeconfig, or in its place", async (t) => {
  const path = directory(t);
  const file = join(path, "config");
  writeFileSync(file, config({ token: "t" }));
  const beside = await findApiServer({
    KUBECONFIG: file,
    CALICO_K8S_API_ENDPOINT: "https://b",
    K8S_API_ENDPOINT: "https://c",
    K8S_INSECURE_SKIP_TLS_VERIFY: "true",
  });
  assert.deepEqual([beside.url, beside.insecureSkipTlsVerify], ["https://b", true]);
  assert.deepEqual(await beside.credentials.present(), { authorization: "Bearer t" });
  assert.equal((await findApiServer({ K8S_API_ENDPOINT: "https://c" })).url, "https://c");
  mkdirSync(join(path, ".kube"));
  writeFileSync(join(path, ".kube", "config"), config({ token: "home" }));
  const usual = await findApiServer({ HOME: path });
  assert.deepEqual(await usual.credentials.present(), { authorization: "Bearer home" });
  const inline = await findApiServer({ KUBECONFIG: file }, { kubeconfigInline: config({ token: "inline" }) });
  assert.deepEqual(await inline.credentials.present(), { authorization: "Bearer inline" });
});

test("a pod has its service account's token, which is read again", async (t) => {
  const path = directory(t);
  writeFileSync(join(path, "token"), "one");
  writeFileSync(join(path, "ca.crt"), "CA");
  const variables = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  const server = await findApiServer(variables, { serviceAccountDirectory: path });
  assert.deepEqual([server.url, server.ca], ["https://[fd00::1]:443", "CA"]);
  assert.deepEqual(await server.credentials.present(), { authorization: "Bearer one" });
  writeFileSync(join(path, "token"), "two");
  server.credentials.forget();
  assert.deepEqual(await server.credentials.present(), { authorization: "Bearer two" });
});

test("a credential plugin is run when its last answer has expired, and told what it needs to know", async (t) => {
  const path = directory(t);
  const plugin = join(path, "plugin");
  const count = join(path, "count");
  writeFileSync(
    plugin,
    `#!/bin/sh
echo x >> ${count}
[ "$1 $2" = "get token" ] && [ "$LEVEL" = 5 ] || exit 3
case $KUBERNETES_EXEC_INFO in *'"server":"https://a:6443"'*) ;; *) exit 4 ;; esac
printf '{"kind":"ExecCredential","status":{"token":"t%s","expirationTimestamp":"%s"}}' "$(wc -l < ${count})" "$(cat ${path}/expiry)"
`,
  );
  chmodSync(plugin, 0o755);
  const expire = (at: string): void => writeFileSync(join(path, "expiry"), at);
  expire("2000-01-01T00:00:00Z");
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "./plugin",
    args: ["get", "token"],
    env: [{ name: "LEVEL", value: "5" }],
    provideClusterInfo: true,
  };
  const file = join(path, "config");
  writeFileSync(file, config({ exec }));
  const { credentials } = await findApiServer({ KUBECONFIG: file });
  assert.deepEqual(await credentials.present(), { authorization: "Bearer t1" });
  expire("2999-01-01T00:00:00Z");
  assert.deepEqual(await credentials.present(), { authorization: "Bearer t2" });
  assert.deepEqual(await credentials.present(), { authorization: "Bearer t2" });

  const failing = { ...exec, args: ["x"], installHint: "install\n  it" };
  writeFileSync(file, config({ exec: failing }));
  const refused = (await findApiServer({ KUBECONFIG: file })).credentials;
  assert.match(await failure(() => refused.present()), /plugin \S+\/plugin: Command failed.*; install it$/);
  writeFileSync(file, config({ exec: { ...exec, command: "no-such-plugin" } }));
  const missing = (await findApiServer({ KUBECONFIG: file })).credentials;
  assert.equal(
    await failure(() => missing.present()),
    "the credential plugin no-such-plugin: no such program",
  );
});

test("what is wrong with a kubeconfig is one line that names it", async (t) => {
  const path = directory(t);
  const file = join(path, "config");
  const cases: readonly (readonly [string, RegExp])[] = [
    ["a: [", /^kubeconfig \S+ is not YAML: /],
    ["just text", / has no clusters, users or contexts$/],
    ["kind: Pod", /: expected kind 'Config', got 'Pod'$/],
    [config({}, {}, { "current-context": "" }), /: no current-context is set: name one with --context/],
    [config({}, {}, { "current-context": "z" }), /: the context 'z' is not in it; of contexts it has x$/],
    [
      config({}, {}, { clusters: [] }),
      /: the cluster of context x, 'c' is not in it; of clusters it has none$/,
    ],
    [config({}, {}, { users: [] }), /: the user of context x, 'u' is not in it; of users it has none$/],
    [config({}, { server: "" }), /: a cluster has no server$/],
    [config({}, { "proxy-url": "ftp://x" }), /: proxy-url ftp:\/\/x is not a URL of http, https or socks5$/],
    [
      config({ "auth-provider": { name: "gcp" } }),
      /: users with auth-provider are not supported: .*use exec$/,
    ],
    [config({ "as-groups": ["admins"] }), /: as-uid, as-groups and as-user-extra need as$/],
    [config({ exec: { command: "x" } }), /: exec needs command and apiVersion$/],
    [config({}, { "certificate-authority": "none" }), /^cannot read the authority \S+\/none: no such file$/],
  ];
  for (const [text, message] of cases) {
    writeFileSync(file, text);
    const found = await failure(() => findApiServer({ KUBECONFIG: file }));
    assert.match(found, message);
    assert.doesNotMatch(found, /\n/);
  }
  assert.match(
    await failure(() => findApiServer({})),
    /^no Kubernetes API server is configured: set KUBECONFIG/,
  );
  assert.match(
    await failure(() => findApiServer({ K8S_CURRENT_CONTEXT: "x" })),
    /no kubeconfig with the context 'x'/,
  );
});

test("the API group by Calico's names", () => {
  assert.equal(chosenApiGroup({}), undefined);
  assert.equal(chosenApiGroup({ CALICO_API_GROUP: "projectcalico.org/v3" }), "projectcalico.org");
  assert.equal(chosenApiGroup({ CALICO_API_GROUP: "crd.projectcalico.org/v1" }), "crd.projectcalico.org");
  assert.throws(() => chosenApiGroup({ CALICO_API_GROUP: "v3" }), /CALICO_API_GROUP 'v3' is neither/);
});

test("whom to act as, how fast to ask, and the environment's proxy", async (t) => {
  const file = join(directory(t), "config");
  writeFileSync(
    file,
    config({
      token: "T",
      as: "jane",
      "as-uid": "7",
      "as-groups": ["a", "b"],
      "as-user-extra": { "Example.org/x (y)": ["1"] },
    }),
  );
  const variables = { KUBECONFIG: file, K8S_CLIENT_QPS: "12.5", https_proxy: "p:3128" };
  const { headers, pace, proxyUrl } = await findApiServer(variables);
  assert.deepEqual(headers, {
    "impersonate-user": ["jane"],
    "impersonate-uid": ["7"],
    "impersonate-group": ["a", "b"],
    "impersonate-extra-example.org%2Fx%20%28y%29": ["1"],
  });
  assert.deepEqual(pace, { perSecond: 12.5, burst: 10 });
  assert.equal(proxyUrl, "http://p:3128");
  const faster = await findApiServer({ ...variables, CALICO_K8S_CLIENT_QPS: "50", K8S_CLIENT_BURST: "99" });
  assert.deepEqual(faster.pace, { perSecond: 50, burst: 99 });
  assert.equal((await findApiServer({ KUBECONFIG: file, K8S_CLIENT_BURST: "5" })).pace, undefined);
  assert.equal(
    await failure(() => findApiServer({ ...variables, K8S_CLIENT_QPS: "fast" })),
    "K8S_CLIENT_QPS 'fast' is not a number",
  );
});
