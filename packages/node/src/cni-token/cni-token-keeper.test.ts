/**
 * Aim: the token in the plugins' kubeconfig is renewed in time, and nothing else of the file changes. Method: virtual pauses, an
 * API server by hand, a real file.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { StoreError } from "@caracal/datastore";
import { requestToken } from "@caracal/store-kubernetes";
import { memoryLog } from "../../test/node-fixtures.ts";
import { keepCniToken } from "./cni-token-keeper.ts";

const kubeconfig = (token: string): string =>
  `apiVersion: v1\nusers:\n- name: calico\n  user:\n    token: ${token}\ncurrent-context: calico-context\n`;

test("it is renewed at half of its life, after failures soon, and not before the file is there", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "caracal-token-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "calico-kubeconfig");
  const stop = new AbortController();
  const { log, lines } = memoryLog();
  const answers = [
    () => ({ token: 'first"', expiresAtMs: 7_200_000 }),
    () => assert.fail(new StoreError("unavailable", "away")),
    () => assert.fail(new StoreError("unavailable", "away")),
    () => assert.fail(new StoreError("unauthorized", "forbidden")),
    () => ({ token: "second", expiresAtMs: 1 }),
  ];
  const pauses: number[] = [];
  const texts: string[] = [];
  await keepCniToken(
    {
      path,
      log,
      now: () => 0,
      request: async () => (answers.shift() ?? answers[0] ?? (() => assert.fail("asked too often")))(),
      sleep: async (ms) => {
        pauses.push(ms);
        if (pauses.length === 1) writeFileSync(path, kubeconfig("old"));
        else texts.push(readFileSync(path, "utf8"));
        if (answers.length === 0) stop.abort();
      },
    },
    stop.signal,
  );
  assert.deepEqual(pauses, [30_000, 3_600_000, 1_000, 2_000, 60_000, 10_000]);
  assert.deepEqual(texts, [
    ...Array.from({ length: 4 }, () => kubeconfig('"first\\""')),
    kubeconfig('"second"'),
  ]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(directory), ["calico-kubeconfig"]);
  assert.equal(lines.filter(({ reason }) => reason !== undefined).length, 3);
});

test("an API server is asked for it as Kubernetes wants it", async (t) => {
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      asked.push([request.method, request.url, request.headers.authorization, JSON.parse(body)]);
      const isKnown = request.url?.includes("/calico-cni-plugin/") === true;
      response.writeHead(isKnown ? 201 : 404, { "content-type": "application/json" });
      const status = { token: "t", expirationTimestamp: "2026-01-02T03:04:05Z" };
      response.end(JSON.stringify(isKnown ? { status } : { kind: "Status", message: "not found" }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const variables = { K8S_API_ENDPOINT: `http://127.0.0.1:${address.port}`, K8SAPITOKEN: "own" };
  const request = { namespace: "kube-system", serviceAccount: "calico-cni-plugin", seconds: 86_400 };
  const expiresAtMs = Date.parse("2026-01-02T03:04:05Z");
  assert.deepEqual(await requestToken(variables, request), { token: "t", expiresAtMs });
  assert.deepEqual(asked, [
    [
      "POST",
      "/api/v1/namespaces/kube-system/serviceaccounts/calico-cni-plugin/token",
      "Bearer own",
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 86_400 },
      },
    ],
  ]);
  await assert.rejects(requestToken(variables, { ...request, serviceAccount: "other" }), {
    code: "invalid",
    message: /not found/,
  });
});
