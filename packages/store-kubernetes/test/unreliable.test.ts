/**
 * Aim: of a server that answers slowly, wrongly or not to the end, callers learn it in the port's own words, and a watch still
 * misses and repeats nothing. Method: servers of the test on loopback that speak as much of the Kubernetes API as each case needs.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import { test, type TestContext } from "node:test";
import { Revision, StoreError, type StoreEvent } from "@caracal/datastore";
import { anonymous, type Credentials, KubernetesStore } from "../src/index.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const group = "/apis/crd.projectcalico.org/v1";
const prefix = "/calico/resources/v3/projectcalico.org/ippools/";

async function listen(t: TestContext, server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return `http://127.0.0.1:${address.port}`;
}

/** A store on a server that answers discovery, and what `answer` says for the rest. */
async function storeOn(
  t: TestContext,
  answer: Answer,
  more: { readonly credentials?: Credentials; readonly requestTimeoutMs?: number } = {},
): Promise<KubernetesStore> {
  const server = createServer((request, response) => {
    if (request.url === "/apis") json(response, 200, { groups: [] });
    else answer(request, response);
  });
  t.after(() => server.closeAllConnections());
  const url = await listen(t, server);
  const { credentials = anonymous, ...options } = more;
  const store = new KubernetesStore({ server: { url, credentials }, ...options });
  t.after(() => store.close());
  return store;
}

function json(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

function pool(name: string, resourceVersion: string): object {
  return { metadata: { name, uid: name, resourceVersion }, spec: { cidr: "10.0.0.0/16" } };
}

function status(code: number, reason: string, message: string): object {
  return { kind: "Status", status: "Failure", code, reason, message };
}

async function failure(run: () => Promise<unknown>): Promise<StoreError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  return assert.fail("nothing was thrown");
}

/** Reads a watch until `count` events have come. */
async function take(
  batches: AsyncIterable<readonly StoreEvent[]>,
  count: number,
): Promise<readonly string[]> {
  const seen: string[] = [];
  for await (const batch of batches) {
    for (const event of batch) {
      const key = event.kind === "put" ? event.entry.key : event.key;
      seen.push(`${event.kind} ${key.slice(prefix.length)}`);
    }
    if (seen.length >= count) break;
  }
  return seen;
}

const never = new AbortController().signal;

test("what is no API server is one line, whatever it says", async (t) => {
  const answers: readonly (readonly [Answer, RegExp])[] = [
    [(_, response) => response.end("<html>hello</html>"), /does not answer as a Kubernetes API server does$/],
    [(_, response) => json(response, 200, {}), /does not answer as a Kubernetes API server does$/],
    [
      (_, response) => json(response, 200, { items: [{}], metadata: { resourceVersion: "1" } }),
      /does not answer/,
    ],
    [(_, response) => json(response, 302, {}), /does not answer as a Kubernetes API server does$/],
    [
      (_, response) => json(response, 500, status(500, "InternalError", "etcd is gone")),
      /: etcd is gone \(500\)$/,
    ],
    [(_, response) => response.writeHead(503).end("no\nbackend"), /: no \(503\)$/],
    [(_, response) => response.destroy(), /: (connection reset|socket hang up)$/],
  ];
  for (const [answer, message] of answers) {
    const store = await storeOn(t, answer);
    const error = await failure(() => store.list(prefix));
    assert.equal(error.code, "unavailable");
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
  }
  const noise = createTcpServer((socket) => void socket.end("220 mail ready\r\n"));
  const url = await listen(t, noise);
  const store = new KubernetesStore({ server: { url, credentials: anonymous } });
  const error = await failure(() => store.get(`${prefix}p`));
  assert.deepEqual(
    [error.code, /does not speak HTTP|Parse Error/.test(error.message)],
    ["unavailable", true],
  );
});

test("a server that does not answer in time is unavailable", async (t) => {
  const store = await storeOn(t, () => undefined, { requestTimeoutMs: 200 });
  const error = await failure(() => store.get(`${prefix}p`));
  assert.equal(error.code, "unavailable");
  assert.match(error.message, /: no answer in time$/);
  const stuck = await storeOn(t, (_, response) => void response.writeHead(200).write("{"), {
    requestTimeoutMs: 200,
  });
  assert.match((await failure(() => stuck.get(`${prefix}p`))).message, /: no answer in time$/);
});

test("a server that is busy is asked again, so often and no more", async (t) => {
  let asked = 0;
  const store = await storeOn(t, (_, response) => {
    asked += 1;
    if (asked < 3) json(response, 429, status(429, "TooManyRequests", "slow down"), { "retry-after": "0" });
    else json(response, 200, pool("p", "7"));
  });
  assert.equal((await store.get(`${prefix}p`))?.revision, "7");
  const always = await storeOn(t, (_, response) => json(response, 429, {}, { "retry-after": "0" }));
  assert.match((await failure(() => always.get(`${prefix}p`))).message, /: it is busy \(429\)$/);
});

test("a server that says when it will be back is asked again, also with what it may not do twice", async (t) => {
  let asked = 0;
  const store = await storeOn(t, (_, response) => {
    asked += 1;
    const starting = status(503, "ServiceUnavailable", "storage is (re)initializing");
    if (asked < 3) json(response, 503, starting, { "retry-after": "0" });
    else json(response, 201, pool("p", "7"));
  });
  assert.equal((await store.create(`${prefix}p`, JSON.stringify({ spec: {} }))).kind, "ok");
  assert.equal(asked, 3);
  const down = await storeOn(t, (_, response) => {
    asked += 1;
    json(response, 503, status(503, "ServiceUnavailable", "no backend"));
  });
  assert.match((await failure(() => down.get(`${prefix}p`))).message, /: no backend \(503\)$/);
  assert.equal(asked, 4);
});

test("a watch that a busy server turns away is tried again", async (t) => {
  let asked = 0;
  const store = await storeOn(t, ({ url = "" }, response) => {
    if (!url.includes("watch="))
      return json(response, 200, { items: [], metadata: { resourceVersion: "10" } });
    asked += 1;
    if (asked < 3) return json(response, 429, status(429, "TooManyRequests", "slow down"));
    response.writeHead(200);
    response.write(event("ADDED", pool("a", "11")));
    return undefined;
  });
  assert.deepEqual(await take(store.watch(prefix, Revision.of("10"), never), 1), ["put a"]);
});

test("what comes right before a watch's failure is told, and only once", async (t) => {
  const broken = status(500, "InternalError", "etcdserver: no leader");
  for (const last of [event("ERROR", broken), "<html>\n"]) {
    const asked: string[] = [];
    const store = await storeOn(t, ({ url = "" }, response) => {
      const query = new URL(url, "http://x").searchParams;
      if (!query.has("watch")) return json(response, 200, { items: [], metadata: { resourceVersion: "13" } });
      asked.push(query.get("resourceVersion") ?? "");
      if (asked.length === 1) return response.end(event("ADDED", pool("a", "11")) + last);
      response.writeHead(200);
      response.write(event("ADDED", pool("b", "12")));
      return undefined;
    });
    assert.deepEqual(await take(store.watch(prefix, Revision.of("10"), never), 2), ["put a", "put b"]);
    assert.deepEqual(asked, ["10", "11"]);
  }
});

test("a token that is refused is got anew, once", async (t) => {
  let tokens = 0;
  const credentials: Credentials = {
    present: async () => ({ authorization: `Bearer ${tokens}` }),
    forget: () => void (tokens += 1),
  };
  const store = await storeOn(
    t,
    ({ headers }, response) => {
      if (headers.authorization === "Bearer 1") json(response, 200, pool("p", "7"));
      else json(response, 401, status(401, "Unauthorized", "Unauthorized"));
    },
    { credentials },
  );
  assert.equal((await store.get(`${prefix}p`))?.revision, "7");
  const refused = await storeOn(t, (_, response) =>
    json(response, 403, status(403, "Forbidden", "ippools is forbidden")),
  );
  const error = await failure(() => refused.list(prefix));
  assert.deepEqual([error.code, error.message], ["unauthorized", "ippools is forbidden"]);
});

test("a listing that expires between its pages begins anew", async (t) => {
  let firsts = 0;
  const store = await storeOn(t, ({ url = "" }, response) => {
    const page = (items: object[], next?: string): void =>
      json(response, 200, {
        items,
        metadata: { resourceVersion: "9", ...(next === undefined ? {} : { continue: next }) },
      });
    if (!url.includes("continue=")) {
      firsts += 1;
      page([pool(`a${firsts}`, "1")], `token-${firsts}`);
    } else if (url.includes("token-1")) json(response, 410, status(410, "Expired", "too old"));
    else page([pool("b", "2")]);
  });
  const { entries, revision } = await store.list(prefix);
  assert.deepEqual(
    entries.map(({ key }) => key.slice(prefix.length)),
    ["a2", "b"],
  );
  assert.equal(revision, "9");
});

test("a watch goes on after its streams end, from bookmarks too, and tells each change once", async (t) => {
  const asked: string[] = [];
  const streams = [
    // Ends in the middle of a line: the event is told by the next stream.
    `${event("ADDED", pool("a", "11"))}${event("BOOKMARK", { metadata: { resourceVersion: "15" } })}{"type":"ADD`,
    event("ADDED", pool("b", "16")),
    event("MODIFIED", pool("b", "17")) + event("DELETED", pool("b", "18")),
  ];
  const store = await storeOn(t, ({ url = "" }, response) => {
    const query = new URL(url, "http://x").searchParams;
    if (!query.has("watch")) return json(response, 200, { items: [], metadata: { resourceVersion: "18" } });
    asked.push(query.get("resourceVersion") ?? "");
    response.writeHead(200);
    response.write(streams[asked.length - 1] ?? "");
    if (asked.length < streams.length) setTimeout(() => response.destroy(), 20);
    return undefined;
  });
  const seen = await take(store.watch(prefix, Revision.of("10"), never), 4);
  assert.deepEqual(seen, ["put a", "put b", "put b", "delete b"]);
  assert.deepEqual(asked, ["10", "15", "16"]);
});

test("a watch whose history is gone says so: by status, by event, by another store", async (t) => {
  const gone = status(410, "Expired", "too old resource version");
  const answers: readonly Answer[] = [
    (_, response) => json(response, 410, gone),
    (_, response) => void response.end(event("ERROR", gone)),
    ({ url = "" }, response) => {
      if (url.includes("watch=")) response.destroy();
      else json(response, 200, { items: [], metadata: { resourceVersion: "3" } });
    },
    // The kind's definition has been deleted.
    (_, response) => void response.writeHead(404).end("404 page not found"),
  ];
  for (const answer of answers) {
    const store = await storeOn(t, answer);
    const error = await failure(() => take(store.watch(prefix, Revision.of("10"), never), 1));
    assert.equal(error.code, "compacted", error.message);
  }
});

test("a watch of a server that only fails gives up, and one that is denied at once", async (t) => {
  const store = await storeOn(t, ({ url = "" }, response) => {
    if (url.includes("watch=")) response.destroy();
    else json(response, 200, { items: [], metadata: { resourceVersion: "10" } });
  });
  const error = await failure(() => take(store.watch(prefix, Revision.of("10"), never), 1));
  assert.equal(error.code, "unavailable");
  const denied = await storeOn(t, (_, response) => json(response, 403, status(403, "Forbidden", "no")));
  const refusal = await failure(() => take(denied.watch(prefix, Revision.of("10"), never), 1));
  assert.deepEqual([refusal.code, refusal.message], ["unauthorized", "no"]);
});

test("what is deleted in two steps is told once, and a delete that stopped halfway is finished", async (t) => {
  const handle = (version: string, deleted: boolean): object => ({
    metadata: { name: "h", uid: "h", resourceVersion: version },
    spec: { handleID: "h", block: {}, deleted },
  });
  const removed: string[] = [];
  const store = await storeOn(t, (request, response) => {
    const { url = "", method = "" } = request;
    if (method === "DELETE") {
      removed.push(url);
      return json(response, 200, {});
    }
    if (!url.includes("watch=")) {
      const isList = url.startsWith(`${group}/ipamhandles?`);
      const list = { items: [handle("12", true)], metadata: { resourceVersion: "12" } };
      return json(response, 200, isList ? list : handle("12", true));
    }
    const events = [
      event("ADDED", handle("11", false)),
      event("MODIFIED", handle("12", true)),
      event("MODIFIED", handle("13", true)),
      event("DELETED", handle("14", true)),
      event("ADDED", handle("15", false)),
    ];
    response.writeHead(200);
    response.write(events.join(""));
    return undefined;
  });
  const handles = "/calico/ipam/v2/handle/";
  assert.deepEqual((await store.list(handles)).entries, []);
  assert.equal(await store.get(`${handles}h`), undefined);
  assert.deepEqual(removed, [`${group}/ipamhandles/h`]);
  const kinds: string[] = [];
  for await (const batch of store.watch(handles, Revision.of("10"), never)) {
    kinds.push(...batch.map(({ kind }) => kind));
    if (kinds.length >= 3) break;
  }
  assert.deepEqual(kinds, ["put", "delete", "put"]);
});

test("a kind that the server does not know is empty, and cannot be written", async (t) => {
  const store = await storeOn(t, (_, response) => void response.writeHead(404).end("404 page not found"));
  assert.deepEqual(await store.list(prefix), { revision: "-", entries: [] });
  assert.equal(await store.get(`${prefix}p`), undefined);
  const error = await failure(() => store.create(`${prefix}p`, "{}"));
  assert.equal(error.code, "invalid");
  assert.match(error.message, /does not know ippools\.crd\.projectcalico\.org: .*'caracal crds' prints$/);
});

test("a store that is closed ends its watches and requests at once", async (t) => {
  const store = await storeOn(t, ({ url = "" }, response) => {
    if (url.includes("watch=")) response.writeHead(200).flushHeaders();
  });
  const watching = failure(() => take(store.watch(prefix, Revision.of("10"), never), 1));
  const asking = failure(() => store.get(`${prefix}p`));
  setTimeout(() => void store.close(), 50);
  const ends = [await watching, await asking];
  assert.deepEqual(
    ends.map(({ code, message }) => [code, message]),
    [
      ["unavailable", "the store is closed"],
      ["unavailable", "the store is closed"],
    ],
  );
});

test("a revision of several kinds watches those, and no others", async (t) => {
  const store = await storeOn(t, (_, response) =>
    json(response, 200, { items: [], metadata: { resourceVersion: "5" } }),
  );
  const profiles = "/calico/resources/v3/projectcalico.org/profiles/";
  assert.equal((await store.list(profiles)).revision, "5/5");
  const error = await failure(() => take(store.watch(profiles, Revision.of("5"), never), 1));
  assert.equal(error.code, "invalid");
});

function event(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}
