/**
 * Aim: the drawing shows every switch, network and node with subnets, addresses and AS numbers, upper switches above.
 * Method: two built-in topologies, whole.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawTopology } from "./draw-topology.ts";
import { findTopology } from "./find-topology.ts";
import { parseTopology } from "./parse-topology.ts";

test("two racks hang below a spine", () => {
  assert.equal(
    drawTopology(findTopology("as-per-server")),
    `\
+------------------------------+
| spine   AS 65000   FRR       |
| swp1  10.1.1.2/30  to leaf01 |
| swp2  10.1.2.2/30  to leaf02 |
+------------------------------+
      |                                                            |
+-------------------------------+                            +-------------------------------+
| leaf01   AS 65001   FRR       |                            | leaf02   AS 65002   FRR       |
| swp1  10.0.0.254/24  to rack1 |                            | swp1  30.0.0.254/24  to rack2 |
| swp2  10.1.1.1/30    to spine |                            | swp2  10.1.2.1/30    to spine |
+-------------------------------+                            +-------------------------------+
      |                                                            |
rack1   10.0.0.0/24                                          rack2   30.0.0.0/24
  +- master1.k8s.com  10.0.0.11  AS 65011  testapp-master1     +- worker3.k8s.com  30.0.0.23  AS 65023  testapp-worker3
  +- worker1.k8s.com  10.0.0.21  AS 65021  testapp-worker1
  +- worker2.k8s.com  10.0.0.22  AS 65022  testapp-worker2
`,
  );
});

test("reflectors are marked in a plain network", () => {
  assert.equal(
    drawTopology(findTopology("route-reflector")),
    `\
minikube   192.168.49.0/24   gateway 192.168.49.1
  +- minikube      192.168.49.2  AS 63400                     app-m01 web-m01
  +- minikube-m02  192.168.49.3  AS 63400                     app-m02
  +- minikube-m03  192.168.49.4  AS 63400  reflector 1.0.0.1  app-m03
  +- minikube-m04  192.168.49.5  AS 63400  reflector 1.0.0.1  app-m04
`,
  );
});

test("racks that do not fit next to each other stand below, each with its cable", () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const lines = (line: (name: string, number: number) => string): string =>
    names.map((name, index) => `  - ${line(name, index + 1)}\n`).join("");
  const text = `name: wide
pool: { cidr: 10.244.0.0/16 }
switches:
  - { name: spine, asNumber: 65000 }
${lines((name, number) => `{ name: leaf-${name}, asNumber: ${65000 + number} }`)}racks:
${lines((name, number) => `{ name: ${name}, subnet: 10.0.${number}.0/24, gateway: 10.0.${number}.254, switch: leaf-${name} }`)}links:
${lines((name, number) => `{ switches: [leaf-${name}, spine], subnet: 10.1.${number}.0/30 }`)}nodes:
${lines((name, number) => `{ name: node-${name}, rack: ${name}, address: 10.0.${number}.1 }`)}`;
  const drawing = drawTopology(parseTopology(text, "wide.yaml")).split("\n");
  assert.ok(drawing.every((line) => line.length <= 160));
  assert.equal(drawing.filter((line) => /^ +\|( +\|)+$/.test(line)).length, 4);
  for (const name of names) assert.equal(drawing.join("\n").split(`+- node-${name} `).length, 2);
});
