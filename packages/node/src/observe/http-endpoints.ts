import { createServer, type Server, type ServerResponse } from "node:http";
import type { Endpoint } from "../config.ts";
import type { Health } from "./health.ts";
import type { Metrics } from "./metrics.ts";

/** Felix's health endpoints: `/liveness` and `/readiness`, 200 or 503, with a line a part as body. */
export function serveHealth(health: Health, endpoint: Endpoint): Promise<Server> {
  return serve(endpoint, "health", (path, response) => {
    if (path !== "/liveness" && path !== "/readiness") return notFound(response, "/liveness or /readiness");
    const isGood = path === "/liveness" ? health.isLive : health.isReady;
    response
      .writeHead(isGood ? 200 : 503, { "content-type": "text/plain; charset=utf-8" })
      .end(health.table());
  });
}

/** Prometheus metrics at `/metrics`. */
export function serveMetrics(metrics: Metrics, endpoint: Endpoint): Promise<Server> {
  return serve(endpoint, "metrics", (path, response) => {
    if (path !== "/metrics") return notFound(response, "/metrics");
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
}

function serve(
  endpoint: Endpoint,
  what: string,
  answer: (path: string, response: ServerResponse) => void,
): Promise<Server> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") response.writeHead(405).end();
    else answer(new URL(request.url ?? "/", "http://localhost").pathname, response);
  });
  server.maxConnections = 64;
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Error(`the ${what} endpoint cannot listen on ${endpoint.host}:${endpoint.port}`, { cause })),
    );
    server.listen(endpoint.port, endpoint.host, () => resolve(server));
  });
}

function notFound(response: ServerResponse, known: string): void {
  response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end(`try ${known}\n`);
}
