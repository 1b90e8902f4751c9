/** The rehearsal must walk the path of real routes: what goes in comes out at the other peer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4 } from "@caracal/net";
import { rehearse, rehearsedPrefixCount } from "./rehearse.ts";
import { speakerDefaults } from "./speaker-events.ts";

test("a rehearsal relays every made-up prefix, whatever the speaker's settings", () => {
  for (const tellsBestRoutes of [false, true]) {
    const config = {
      ...speakerDefaults,
      routerId: Ipv4.of(1),
      asn: 65_001,
      restarting: true,
      tellsBestRoutes,
    };
    // Four bytes for a prefix, and at least the headers and attributes of one message for sixteen.
    assert.ok(rehearse(config) > rehearsedPrefixCount * (4 + 60 / 16));
  }
});
