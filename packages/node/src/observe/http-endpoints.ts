import { createServer, type Server, type ServerResponse } from "node:http";
import { messageOf } from "@caracal/net";
import type { Endpoint } from "../config.ts";
import { StartUpError } from "../startup/start-up-error.ts";
import type { Health } from "./health.ts";
import type { Metrics } from "./metrics.ts";

/** A request that takes longer than this is given up. */
const requestMs = 10_000;
/** Probes and scrapers are few. */
const connectionsMax = 64;

/** A listening HTTP server. */
export interface HttpEndpoint extends AsyncDisposable {
  readonly port: number;
}

/** Felix's health endpoints: `/liveness` and `/readiness`, 200 or 503, with a line a part as body. */
export function serveHealth(health: Health, endpoint: Endpoint): Promise<HttpEndpoint> {
  return serve(endpoint, "health", (path, response) => {
    if (path !== "/liveness" && path !== "/readiness") return notFound(response, "/liveness or /readiness");
    const isGood = path === "/liveness" ? health.isLive : health.isReady;
    response
      .writeHead(isGood ? 200 : 503, { "content-type": "text/plain; charset=utf-8" })
      .end(health.table());
  });
}

/** Prometheus metrics at `/metrics`. */
export function serveMetrics(metrics: Metrics, endpoint: Endpoint): Promise<HttpEndpoint> {
  return serve(endpoint, "metrics", (path, response) => {
    if (path !== "/metrics") return notFound(response, "/metrics");
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
}

async function serve(
  endpoint: Endpoint,
  what: string,
  answer: (path: string, response: ServerResponse) => void,
): Promise<HttpEndpoint> {
  const server = createServer(
    { requestTimeout: requestMs, headersTimeout: requestMs },
    (request, response) => {
      // What was asked for stands before the query; it need not be a URL that can be parsed.
      const [path = ""] = (request.url ?? "").split("?");
      if (request.method === "GET" || request.method === "HEAD") answer(path, response);
      else response.writeHead(405, { allow: "GET, HEAD" }).end();
    },
  );
  server.maxConnections = connectionsMax;
  await listen(server, endpoint).catch((cause: unknown) => {
    const reason = messageOf(cause);
    throw new StartUpError(`the ${what} endpoint cannot be opened: ${reason}`, { cause });
  });
  // A connection that could not be accepted is the client's loss alone.
  server.on("error", () => undefined);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : endpoint.port,
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

function listen(server: Server, { host, port }: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function notFound(response: ServerResponse, known: string): void {
  response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end(`try ${known}\n`);
}
