/** Health and metrics over HTTP, also for those who ask badly. Method: real sockets on loopback. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Health } from "./health.ts";
import { serveHealth, serveMetrics } from "./http-endpoints.ts";
import { Metrics } from "./metrics.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

/** Sends bytes as they are and gives the status line of the answer. */
async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  let text = "";
  socket.on("data", (chunk: string) => (text += chunk));
  socket.end(request);
  await once(socket, "close");
  return text.split("\r\n")[0] ?? "";
}

test("readiness and liveness follow the parts", async () => {
  const health = new Health();
  await using server = await serveHealth(health, anyPort);
  const ask = async (path: string): Promise<readonly [number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [answer.status, await answer.text()];
  };
  assert.equal((await ask("/readiness"))[0], 503, "nothing has reported yet");
  health.report("bgp", { live: true, ready: false, detail: "no session" });
  assert.deepEqual(await ask("/readiness"), [503, "bgp            live not ready no session\n"]);
  assert.equal((await ask("/liveness"))[0], 200);
  assert.equal(health.notReadyBecause, "calico/node is not ready: bgp: no session");
  health.report("bgp", { live: true, ready: true, detail: "2 sessions established" });
  assert.deepEqual(await ask("/readiness?from=kubelet"), [
    200,
    "bgp            live ready 2 sessions established\n",
  ]);
  health.report("kernel", { live: false, ready: false, detail: "stuck" });
  assert.equal((await ask("/liveness"))[0], 503);
  assert.deepEqual(await ask("/elsewhere"), [404, "try /liveness or /readiness\n"]);
});

test("metrics are Prometheus text", async () => {
  const metrics = new Metrics();
  metrics.countPeers(["Established", "Established", "Connect"]);
  await using server = await serveMetrics(metrics, anyPort);
  const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  const text = await answer.text();
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(text, /^caracal_bgp_peers\{state="Established"\} 2$/m);
  assert.match(text, /^process_resident_memory_bytes [0-9]/m);
});

test("requests that make no sense are refused and harm nobody", async () => {
  await using server = await serveHealth(new Health(), anyPort);
  const rest = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (const [request, status] of [
    [`GET //${rest}`, "404"],
    [`GET http://[bad/readiness${rest}`, "404"],
    [`POST /readiness${rest}`, "405"],
    ["nonsense\r\n\r\n", "400"],
    [`HEAD /readiness${rest}`, "503"],
  ] as const) {
    assert.match(await raw(server.port, request), new RegExp(`^HTTP/1\\.1 ${status} `), request);
  }
});

test("a port that is taken is one sentence", async () => {
  await using server = await serveHealth(new Health(), anyPort);
  await assert.rejects(serveMetrics(new Metrics(), { host: "127.0.0.1", port: server.port }), {
    code: "start-up",
    message: `the metrics endpoint cannot be opened: listen EADDRINUSE: address already in use 127.0.0.1:${server.port}`,
  });
});
