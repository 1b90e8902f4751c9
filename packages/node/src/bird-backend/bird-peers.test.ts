/** Aim: BIRD's sessions are read from its answers. Method: what BIRD 1.6.8 says, and answers over a socket in pieces. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { PeerIntent } from "@caracal/intent";
import { address } from "../../test/node-fixtures.ts";
import { askBird } from "./bird-conversation.ts";
import { birdPeers } from "./bird-peers.ts";

function peer(name: string): PeerIntent {
  return {
    name,
    type: "mesh",
    family: 4,
    address: address("192.168.80.121"),
    port: 179,
    remoteAsNumber: 64512,
    localAsNumber: 64512,
    isPassive: false,
    nextHop: "auto",
    allowedLocalAsCount: 0,
    restartSeconds: 120,
    holdSeconds: 240,
    keepaliveSeconds: 80,
    filters: [],
  };
}

const answer = `name     proto    table    state  since       info
kernel1  Kernel   master   up     10:40:30    
  Preference:     10
  Routes:         6 imported, 3 exported, 5 preferred
Mesh_192_168_80_121 BGP      master   up     10:40:32    Established   
  Description:    Connection to BGP peer
  Routes:         1 imported, 2 exported, 1 preferred
  BGP state:          Established
Mesh_192_168_80_125 BGP      master   start  10:40:33    Active        Socket: Connection refused
  Routes:         0 imported, 0 exported, 0 preferred
Mesh_192_168_80_126 BGP      master   start  10:40:33    Passive       
static1  Static   master   up     10:40:31    
  Routes:         9 imported, 9 exported, 9 preferred`.split("\n");

test("states, reasons and routes are each session's own; one that BIRD has not is idle", () => {
  const names = ["121", "125", "126", "127"].map((last) => `Mesh_192_168_80_${last}`);
  const found = birdPeers(names.map(peer), answer, { before: [], nowS: 7 });
  assert.deepEqual(
    found.map(({ intent: _intent, ...rest }) => Object.values(rest).join(" ")),
    ["Established  1 2 7", "Active Socket: Connection refused 0 0 7", "Idle  0 0 7", "Idle  0 0 7"],
  );
});

test("a session is as old as its state", () => {
  const intents = [peer("Mesh_192_168_80_121"), peer("Mesh_192_168_80_125")];
  const first = birdPeers(intents, answer, { before: [], nowS: 7 });
  const down = answer.map((line) => line.replace("Established", "Connect    "));
  const second = birdPeers(intents, down, { before: first, nowS: 9 });
  assert.deepEqual(
    second.map(({ state, sinceS }) => `${state} ${sinceS}`),
    ["Connect 9", "Active 7"],
  );
});

test("an answer is taken whole, however it arrives, and silence is an error", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "caracal-ask-"));
  const path = join(directory, "bird.ctl");
  const server = createServer((socket) => {
    socket.setEncoding("utf8").on("data", (question) => {
      if (String(question) === "hush\n") return;
      socket.write("2002-name     proto\n1002-a BGP\n100");
      setImmediate(() => socket.write("6-  Routes: 1\n   more\n+event\n0000 \n"));
    });
    socket.on("error", () => undefined).write("0001 BIRD 1.6.8 ready.\n");
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  assert.deepEqual(await askBird(path, "show protocols all"), [
    "name     proto",
    "a BGP",
    "  Routes: 1",
    "  more",
    "",
  ]);
  await assert.rejects(askBird(path, "hush"), /does not answer/);
  await assert.rejects(askBird(join(directory, "none"), "x"), { code: "ENOENT" });
});
