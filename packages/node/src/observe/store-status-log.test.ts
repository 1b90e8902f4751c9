/** An outage is two lines, whatever its parts do meanwhile. Method: statuses by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLog } from "../../test/node-fixtures.ts";
import { Metrics } from "./metrics.ts";
import { StoreStatusLog } from "./store-status-log.ts";

test("one line when the first part falls out of step, one when the last is back", async () => {
  let now = 0;
  const { log, lines } = memoryLog();
  const metrics = new Metrics();
  const status = new StoreStatusLog(log, metrics, () => now);
  for (const part of ["Node", "IPPool", "BGPPeer"]) status.hear({ kind: "inSync" }, part, part === "BGPPeer");
  assert.deepEqual(lines, []);
  assert.match(await metrics.text(), /caracal_store_connected 1/);
  for (let attempt = 0; attempt < 100; attempt += 1) {
    status.hear({ kind: "away", reason: `refused ${attempt}` }, "Node", false);
    status.hear({ kind: "away", reason: "refused" }, "IPPool", false);
  }
  assert.match(await metrics.text(), /caracal_store_connected 0/);
  now = 61_000;
  status.hear({ kind: "inSync" }, "Node", false);
  status.hear({ kind: "inSync" }, "IPPool", true);
  assert.deepEqual(
    lines.map(({ msg, reason, awayMs }) => [msg, reason ?? awayMs]),
    [
      ["datastore away; the last known state holds", "refused 0"],
      ["datastore is back", 61_000],
    ],
  );
});
