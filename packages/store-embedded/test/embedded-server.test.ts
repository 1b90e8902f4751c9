/**
 * What the server does besides etcd's API: it owns its directory and its addresses, says in one line why it cannot start,
 * and bounds what a slow client costs. Method: servers in this process, real sockets and files, raw gRPC calls.
 */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  type Init,
  Lease,
  Watch,
  type WatchRequestSchema,
  type WatchResponse,
  wireMethod,
} from "@caracal/etcd-api";
import { EtcdStore } from "@caracal/store-etcd";
import { eventually, run, Testbed } from "@caracal/testbed";
import { EmbeddedServer, type EmbeddedServerOptions } from "../src/index.ts";

const toBuffer = (bytes: Uint8Array<ArrayBuffer>): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

async function start(bed: Testbed, options: Partial<EmbeddedServerOptions> = {}): Promise<EmbeddedServer> {
  const dataDir = options.dataDir ?? bed.directory();
  const server = await EmbeddedServer.start({
    dataDir,
    listen: [{ host: "127.0.0.1", port: 0 }],
    ...options,
  });
  bed.defer(() => server.stop());
  return server;
}

function openStore(bed: Testbed, server: EmbeddedServer): EtcdStore {
  const store = new EtcdStore({ endpoints: server.endpoints });
  bed.defer(() => store.close());
  return store;
}

function openClient(bed: Testbed, server: EmbeddedServer): Client {
  const client = new Client(server.endpoints[0]?.replace("http://", "") ?? "", credentials.createInsecure());
  bed.defer(() => client.close());
  return client;
}

async function listening(bed: Testbed, path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  bed.defer(() => void server.close());
  return server;
}

test("a second server on one directory is refused, and works when the first has gone", async (t) => {
  const bed = Testbed.create(t);
  const dataDir = bed.directory();
  const first = await start(bed, { dataDir });
  await assert.rejects(start(bed, { dataDir }), {
    code: "directoryInUse",
    message: `the data directory ${dataDir} is in use by another server`,
  });
  await first.stop();
  await start(bed, { dataDir });
});

test("a directory with something else in it is refused and not touched", async (t) => {
  const bed = Testbed.create(t);
  const dataDir = bed.directory();
  writeFileSync(join(dataDir, "store.db"), "not a database, but somebody's notes of some length");
  await assert.rejects(start(bed, { dataDir }), { code: "unreadable" });
  assert.match((await run(["cat", join(dataDir, "store.db")])).stdout, /^not a database/);
});

test("the socket file of a dead server is replaced, that of a live one is not", async (t) => {
  const bed = Testbed.create(t);
  const dataDir = bed.directory();
  const unix = join(bed.directory(), "store.sock");
  // A process that binds and is killed leaves its file behind.
  const script = `require("node:net").createServer().listen(${JSON.stringify(unix)}, () => process.kill(process.pid, "SIGKILL"))`;
  await run([process.execPath, "-e", script]).catch(() => {});
  assert.ok(existsSync(unix));
  const first = await start(bed, { dataDir, listen: [{ unix }] });
  await assert.rejects(start(bed, { listen: [{ unix }] }), {
    code: "addressInUse",
    message: `${unix} is in use by another program`,
  });
  assert.equal((await openStore(bed, first).create("/a", "1")).kind, "ok");
  await first.stop();
  assert.equal(existsSync(unix), false);
});

test("other files and other programs are left alone", async (t) => {
  const bed = Testbed.create(t);
  const directory = bed.directory();
  const file = join(directory, "file");
  writeFileSync(file, "mine");
  await assert.rejects(start(bed, { listen: [{ unix: file }] }), { code: "invalid" });
  const socket = join(directory, "socket");
  await listening(bed, socket);
  await assert.rejects(start(bed, { listen: [{ unix: socket }] }), { code: "addressInUse" });
  assert.ok(existsSync(socket));
});

test("a TCP port in use is one clear error, and frees what was opened before", async (t) => {
  const bed = Testbed.create(t);
  const first = await start(bed);
  const port = Number(new URL(first.endpoints[0] ?? "").port);
  const dataDir = bed.directory();
  const unix = join(dataDir, "store.sock");
  await assert.rejects(start(bed, { dataDir, listen: [{ unix }, { host: "127.0.0.1", port }] }), {
    code: "addressInUse",
    message: `127.0.0.1:${port} is in use by another program`,
  });
  assert.equal(existsSync(unix), false);
  await start(bed, { dataDir, listen: [{ unix }] });
});

test("a start that fails for its port has made no data directory", async (t) => {
  const bed = Testbed.create(t);
  const first = await start(bed);
  const port = Number(new URL(first.endpoints[0] ?? "").port);
  const dataDir = join(bed.directory(), "new");
  await assert.rejects(start(bed, { dataDir, listen: [{ host: "127.0.0.1", port }] }), {
    code: "addressInUse",
  });
  assert.equal(existsSync(dataDir), false);
});

test("a data directory that cannot be used is named with the reason", async (t) => {
  const bed = Testbed.create(t);
  const directory = bed.directory();
  const file = join(directory, "file");
  writeFileSync(file, "mine");
  const inFile = join(file, "data");
  await assert.rejects(start(bed, { dataDir: inFile }), {
    code: "unreadable",
    message: `cannot open the data directory ${inFile}: not a directory (ENOTDIR)`,
  });
  await assert.rejects(start(bed, { dataDir: file }), {
    code: "unreadable",
    message: `cannot open the data directory ${file}: file already exists (EEXIST)`,
  });
  await assert.rejects(start(bed, { listen: [{ unix: join(file, "store.sock") }] }), {
    code: "invalid",
    message: `cannot make the directory of the socket ${join(file, "store.sock")}: file already exists (EEXIST)`,
  });
});

test("an address that is not this machine's is named with the reason", async (t) => {
  const bed = Testbed.create(t);
  await assert.rejects(start(bed, { listen: [{ host: "192.0.2.1", port: 2379, allowRemote: true }] }), {
    code: "invalid",
    message: "cannot listen on 192.0.2.1:2379: address not available (EADDRNOTAVAIL)",
  });
});

test("addresses that others can reach must be asked for", async (t) => {
  const bed = Testbed.create(t);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.org"]) {
    await assert.rejects(start(bed, { listen: [{ host, port: 0 }] }), {
      code: "invalid",
      message: /is not a loopback address.*--allow-remote/,
    });
  }
  await assert.rejects(start(bed, { listen: [{ unix: "relative.sock" }] }), { code: "invalid" });
  await assert.rejects(start(bed, { listen: [] }), { code: "invalid" });
  const server = await start(bed, { listen: [{ host: "0.0.0.0", port: 0, allowRemote: true }] });
  assert.match(server.endpoints.join(), /^http:\/\/0\.0\.0\.0:[0-9]+$/);
});

test("stop ends watches, answers nothing afterwards and may be called twice", async (t) => {
  const bed = Testbed.create(t);
  const server = await start(bed);
  const store = openStore(bed, server);
  await store.create("/a", "1");
  const { revision } = await store.list("/");
  const signal = new AbortController().signal;
  const watching = store.watch("/", revision, signal)[Symbol.asyncIterator]().next();
  const failed = assert.rejects(watching, { code: "unavailable" });
  await Promise.all([server.stop(), server.stop()]);
  await assert.rejects(store.get("/a"), { code: "unavailable" });
  await store.close();
  await failed;
});

test("a lease ends by itself, also after a restart, and takes its keys along", async (t) => {
  const bed = Testbed.create(t);
  const dataDir = bed.directory();
  const first = await start(bed, { dataDir });
  const client = openClient(bed, first);
  const grant = wireMethod(Lease.method.leaseGrant, toBuffer);
  const granted = await new Promise<bigint>((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = grant;
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { TTL: 2n },
      new Metadata(),
      {},
      (error, answer) =>
        answer === undefined ? reject(error ?? new Error("no answer")) : resolve(answer.ID),
    );
  });
  const id = granted.toString(16);
  const endpoint = first.endpoints[0] ?? "";
  await run(["etcdctl", `--endpoints=${endpoint}`, "put", "/leased", "1", `--lease=${id}`], {
    env: { ETCDCTL_API: "3" },
  });
  await first.stop();
  const store = openStore(bed, await start(bed, { dataDir }));
  assert.equal((await store.get("/leased"))?.value, "1");
  const { revision } = await store.list("/");
  const signal = new AbortController().signal;
  for await (const batch of store.watch("/", revision, signal)) {
    assert.deepEqual(
      batch.map((event) => event.kind),
      ["delete"],
    );
    break;
  }
  assert.equal(await store.get("/leased"), undefined);
});

test("a watcher that does not read for a while is given everything once it does", async (t) => {
  const bed = Testbed.create(t);
  const server = await start(bed);
  const store = openStore(bed, server);
  const client = openClient(bed, server);
  const { path, requestSerialize, responseDeserialize } = wireMethod(Watch.method.watch, toBuffer);
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
  call.on("error", () => {});
  bed.defer(() => call.cancel());
  const request: Init<typeof WatchRequestSchema> = {
    requestUnion: { case: "createRequest", value: { key: Buffer.from("/big"), startRevision: 1n } },
  };
  call.write(request);

  const value = "x".repeat(500_000);
  const writes = 60;
  const created = await store.create("/big", value);
  assert.ok(created.kind === "ok");
  let revision = created.entry.revision;
  for (let index = 1; index < writes; index += 1) {
    const updated = await store.update("/big", value, revision);
    assert.ok(updated.kind === "ok");
    revision = updated.entry.revision;
  }
  let seen = 0;
  const responses: AsyncIterable<WatchResponse> = call;
  for await (const response of responses) {
    seen += response.events.length;
    if (seen === writes) break;
  }
  assert.equal(seen, writes);
});

// Were changes kept in memory for it, this watcher would be given them all.
test("a watcher so slow that its history is compacted is told so", async (t) => {
  const bed = Testbed.create(t);
  const server = await start(bed);
  const store = openStore(bed, server);
  const { revision } = await store.list("/");
  const watch = store.watch("/slow", revision, new AbortController().signal)[Symbol.asyncIterator]();
  const first = watch.next();
  const value = "x".repeat(1_000_000);
  let entry = await store.create("/slow", value);
  for (let index = 0; index < 40; index += 1) {
    assert.ok(entry.kind === "ok");
    entry = await store.update("/slow", value, entry.entry.revision);
  }
  assert.ok(entry.kind === "ok");
  await store.compact(entry.entry.revision);
  await first;
  await assert.rejects(
    async () => {
      for (;;) if ((await watch.next()).done === true) break;
    },
    { code: "compacted" },
  );
});

test("idle watches that ask for it are told how far the store is", async (t) => {
  const bed = Testbed.create(t);
  const server = await start(bed, { progressIntervalMs: 20 });
  const store = openStore(bed, server);
  const { path, requestSerialize, responseDeserialize } = wireMethod(Watch.method.watch, toBuffer);
  const call = openClient(bed, server).makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    new Metadata(),
  );
  call.on("error", () => {});
  bed.defer(() => call.cancel());
  const reported: bigint[] = [];
  call.on("data", (response: WatchResponse) => {
    if (!response.created) reported.push(response.header?.revision ?? 0n);
  });
  call.write({
    requestUnion: { case: "createRequest", value: { key: Buffer.from("/idle"), progressNotify: true } },
  });
  await store.create("/other", "1");
  await eventually(() => reported.includes(2n));
});
