/** How often tables are compared. Method: the setting in its forms. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recheckMsOf } from "./recheck-ms.ts";

test("the interval is the setting's, three minutes without it, never for zero, and not all the time", () => {
  const forms = [undefined, "90s", "1m30s", "0s", "1ms", "nonsense"];
  assert.deepEqual(
    forms.map((text) => recheckMsOf(text === undefined ? {} : { nftablesRefreshInterval: text })),
    [180_000, 90_000, 90_000, Infinity, 1000, 180_000],
  );
});
