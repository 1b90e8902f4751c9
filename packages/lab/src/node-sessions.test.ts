/**
 * Aim: sessions are read from BIRD's rows as birdc and the daemon print them.
 * Method: a reply as BIRD 2 sends it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSessions } from "./node-sessions.ts";

const REPLY = `2002-name     proto    table    state  since       info
1002-static1  Static   master   up     11:07:00
 Mesh_172_18_0_3 BGP      master   up     11:07:02    Established
 Mesh_172_18_0_2 BGP      master   start  11:07:02    Active        Socket: Connection refused
 Node_10_0_0_254 BGP      master   up     11:07:02    Established
0000 
`;

test("mesh and other sessions are read, everything else is left out", () => {
  assert.deepEqual(parseSessions(REPLY), [
    { peer: "172.18.0.3", isMesh: true, state: "Established" },
    { peer: "172.18.0.2", isMesh: true, state: "Active        Socket: Connection refused" },
    { peer: "10.0.0.254", isMesh: false, state: "Established" },
  ]);
});
