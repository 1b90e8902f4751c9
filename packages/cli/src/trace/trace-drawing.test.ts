/** Aim: the drawings hold every place, and the end where there is one. Method: a short walk by hand, in the three forms. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Walk } from "@caracal/insight";
import { Ipv4 } from "@caracal/net";
import { dotTrace, drawTrace, mermaidTrace } from "./trace-drawing.ts";

const leaf = { kind: "switch", name: "leaf01" } as const;
const outer = { source: "10.0.0.21", destination: "30.0.0.23", ipProtocol: 4 };

const walk: Walk = {
  hops: [
    {
      place: { kind: "node", name: "n1" },
      steps: [
        { kind: "encapsulate", tunnel: "ipip", device: "tunl0", outer, overheadBytes: 20, bytes: 104 },
        { kind: "note", text: "not drawn" },
      ],
      out: { device: "eth0", mtu: 1500, sourceMac: "02:00:00:00:00:01", destinationMac: "02:00:00:00:00:02" },
    },
    { place: leaf, in: { device: "swp1" }, steps: [] },
  ],
  verdict: { kind: "lost", at: leaf, reason: "no-route", text: 'no route for "x"' },
  translations: [],
  forks: [],
  last: { source: Ipv4.of(1), destination: Ipv4.of(2) },
  wants: { places: [], addresses: [] },
};

test("boxes with a cable between them, and an X at the end", () => {
  assert.equal(
    drawTrace(walk),
    `+----------------------------------------+
| node n1                                |
| into tunl0: IPIP 10.0.0.21 > 30.0.0.23 |
+----------------------------------------+
      | eth0   02:00:00:00:00:01 > 02:00:00:00:00:02
      | swp1
+----------------------------------------+
| switch leaf01                          |
+----------------------------------------+
      |
      X
lost at switch leaf01: no route for "x"
`,
  );
});

test("Mermaid and Graphviz quote what they must", () => {
  assert.match(mermaidTrace(walk), /^ {2}p0 -->\|"eth0 > swp1"\| p1$/m);
  assert.match(
    mermaidTrace(walk),
    /^ {2}p1 --x lost\["lost at switch leaf01: no route for #quot;x#quot;"\]$/m,
  );
  assert.match(
    dotTrace(walk),
    /^ {2}p0 \[label="node n1\\ninto tunl0: IPIP 10\.0\.0\.21 > 30\.0\.0\.23"\];$/m,
  );
  assert.match(dotTrace(walk), /label="lost at switch leaf01: no route for \\"x\\""/);
});
