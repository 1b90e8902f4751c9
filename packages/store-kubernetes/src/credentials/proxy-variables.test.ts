// Aim: the proxy of the environment is the one that Go's programs would take. Method: servers and variables in a table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { environmentProxy } from "./proxy-variables.ts";

test("the variable of the server's scheme, capitals first", () => {
  const variables = { HTTPS_PROXY: "http://a:1", https_proxy: "http://b:2", http_proxy: "c:3" };
  assert.equal(environmentProxy("https://k8s.example:6443", variables), "http://a:1");
  assert.equal(environmentProxy("http://k8s.example:8080", variables), "http://c:3");
  assert.equal(environmentProxy("https://k8s.example", {}), undefined);
  assert.equal(
    environmentProxy("https://k8s.example", { https_proxy: "socks5://s:1080" }),
    "socks5://s:1080",
  );
  assert.throws(() => environmentProxy("https://k8s.example", { https_proxy: "ftp://s" }), {
    code: "invalid",
    message: "HTTPS_PROXY ftp://s is not a URL of http, https or socks5",
  });
});

test("NO_PROXY has names, domains, addresses, networks and ports", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["https://k8s.example:6443", "example", false],
    ["https://k8s.example:6443", ".example", false],
    ["https://example:6443", ".example", true],
    ["https://example:6443", "*.example", true],
    ["https://K8S.example:6443", "other, k8s.EXAMPLE", false],
    ["https://notk8s.example", "k8s.example", true],
    ["https://k8s.example:6443", "k8s.example:443", true],
    ["https://k8s.example", "k8s.example:443", false],
    ["https://k8s.example", "*", false],
    ["https://10.1.2.3:6443", "10.0.0.0/8", false],
    ["https://10.1.2.3:6443", "10.1.2.3", false],
    ["https://10.1.2.3:6443", "10.1.2.4,11.0.0.0/8", true],
    ["https://[fd00::1]:6443", "fd00::/64", false],
    ["https://[fd00::1]:6443", "[fd00::1]:6443", false],
    ["https://[fd00::2]:6443", "fd00::1", true],
    ["https://localhost:6443", "", false],
    ["https://127.0.0.2:6443", "", false],
    ["https://[::1]:6443", "", false],
  ];
  for (const [server, exceptions, isProxied] of cases) {
    const found = environmentProxy(server, { HTTPS_PROXY: "http://p:1", NO_PROXY: exceptions });
    assert.equal(found !== undefined, isProxied, `${server} ${exceptions}`);
  }
});
