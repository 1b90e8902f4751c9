/**
 * Connection settings from Calico's environment variables and endpoint texts. Method: tables.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "@caracal/datastore";
import { parseEndpoint } from "./endpoint.ts";
import { configFromEnvironment } from "./index.ts";

const files: Readonly<Record<string, string>> = { "/ca": "CA", "/cert": "CERT", "/key": "KEY" };
function readText(path: string): string {
  const text = files[path];
  if (text === undefined) throw new Error("ENOENT");
  return text;
}

test("no endpoint, no configuration", () => {
  assert.equal(configFromEnvironment({}, readText), undefined);
  assert.equal(configFromEnvironment({ ETCD_ENDPOINTS: "" }, readText), undefined);
});

test("several endpoints, the CALICO_ name wins, an empty one does not", () => {
  const environment = { ETCD_ENDPOINTS: "http://a:1", CALICO_ETCD_ENDPOINTS: "http://b:1, http://c:2" };
  assert.deepEqual(configFromEnvironment(environment, readText), { endpoints: ["http://b:1", "http://c:2"] });
  const empty = { ETCD_ENDPOINTS: "http://a:1", CALICO_ETCD_ENDPOINTS: "" };
  assert.deepEqual(configFromEnvironment(empty, readText), { endpoints: ["http://a:1"] });
});

test("TLS files are read, users are taken", () => {
  const environment = {
    ETCD_ENDPOINTS: "https://a:1",
    ETCD_CA_CERT_FILE: "/ca",
    ETCD_CERT_FILE: "/cert",
    CALICO_ETCD_KEY_FILE: "/key",
    ETCD_USERNAME: "u",
    ETCD_PASSWORD: "p",
  };
  const { renewedTls, ...config } = configFromEnvironment(environment, readText) ?? {};
  assert.deepEqual(renewedTls?.(), { ca: "CA", cert: "CERT", key: "KEY" });
  assert.deepEqual(config, {
    endpoints: ["https://a:1"],
    tls: { ca: "CA", cert: "CERT", key: "KEY" },
    username: "u",
    password: "p",
  });
});

test("a file that cannot be read is named with its variable", () => {
  const environment = { ETCD_ENDPOINTS: "https://a:1", ETCD_CA_CERT_FILE: "/none" };
  assert.throws(() => configFromEnvironment(environment, readText), {
    code: "invalid",
    message: "cannot read /none, which ETCD_CA_CERT_FILE names",
  });
});

test("endpoints become gRPC targets", () => {
  const pairs = [
    ["http://10.0.0.1:2379", "dns:10.0.0.1:2379"],
    ["http://etcd.example:2379/", "dns:etcd.example:2379"],
    ["http://[fd00::1]:2379", "dns:[fd00::1]:2379"],
    ["https://10.0.0.1", "dns:10.0.0.1:2379"],
    ["10.0.0.1:2379", "dns:10.0.0.1:2379"],
    ["unix:///run/store.sock", "unix:/run/store.sock"],
  ] as const;
  for (const [text, target] of pairs) assert.equal(parseEndpoint(text).target, target);
});

test("texts that are no endpoint are refused", () => {
  for (const text of [
    "",
    "http://",
    "unix://relative",
    "ftp://a:1",
    "http://a:b",
    "http://u@a:1",
    "http://a/x",
  ]) {
    assert.throws(() => parseEndpoint(text), StoreError, text);
  }
  assert.throws(() => parseEndpoint("https://a:1", { tls: { cert: "x" } }), { code: "invalid" });
});
