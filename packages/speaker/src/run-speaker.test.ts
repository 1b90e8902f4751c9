/** Aim: a speaker that was run with a recording can be replayed from its file. Method: one on loopback, run and stopped. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { replay } from "@caracal/bgp";
import { Prefix } from "@caracal/net";
import { eventually, freePorts } from "@caracal/testbed";
import { runSpeaker } from "./run-speaker.ts";

test("a recording of a run tells all of it; where it cannot be written, nothing is run", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "record-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const [file, record] = [join(directory, "bgp.yaml"), join(directory, "run.jsonl")];
  const [port] = await freePorts(1);
  writeFileSync(
    file,
    `routerId: 10.0.0.1
asn: 65001
listen: [{address: 127.0.0.1, port: ${port}}]
static: [{prefix: 10.50.0.0/16, blackhole: true}]
neighbors: [{address: 127.0.0.9, asn: 65002, passive: true, password: hush, import: in}]
filters: {in: {rules: [], otherwise: reject}}
`,
  );
  let [out, err] = ["", ""];
  const stop = new AbortController();
  const run = (path: string): Promise<number> =>
    runSpeaker({
      file,
      record: path,
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      logLevel: "info",
      signal: stop.signal,
      onReload: () => () => undefined,
    });
  assert.equal(await run(join(directory, "nowhere", "run.jsonl")), 1);
  assert.match(err, /^cannot record: ENOENT/);
  const running = run(record);
  await eventually(() => out.includes("BGP is listening"));
  stop.abort();
  assert.equal(await running, 0);
  const text = readFileSync(record, "utf8");
  assert.doesNotMatch(text, /hush/);
  const replayed = [...replay(text.trimEnd().split("\n"))];
  assert.deepEqual(
    replayed
      .at(-1)
      ?.speaker.routes()
      .map(({ prefix }) => Prefix.format(prefix)),
    ["10.50.0.0/16"],
  );
  assert.ok(replayed.some(({ event }) => event.kind === "policies" && event.policies.length > 0));
  assert.equal(replayed.at(-1)?.event.kind, "stop");
});
