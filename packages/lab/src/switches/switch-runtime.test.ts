/**
 * Aim: what a switch needs and the machine lacks is said in one line; its commands take any words; names become symbols.
 * Method: a switch as plain data, and a program that nobody has.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  announcedSubnets,
  findProgram,
  routerIdOf,
  type SwitchPlace,
  sessionName,
  writeCommand,
} from "./switch-runtime.ts";

const place: SwitchPlace = {
  spec: {
    name: "leaf",
    daemon: "frr",
    asNumber: 65001,
    servers: "internal",
    interfaces: [
      { name: "swp1", network: "rack1", address: "10.0.0.254", isRack: true },
      { name: "swp2", network: "up", address: "10.1.1.1", isRack: false },
    ],
    neighbors: [],
  },
  networks: [
    { name: "rack1", kind: "rack", subnet: "10.0.0.0/24" },
    { name: "up", kind: "link", subnet: "10.1.1.0/30" },
  ],
  runDirectory: "",
  binDirectory: "",
  ctx: {
    stdout: { write: () => undefined },
    stderr: { write: () => undefined },
    env: { PATH: process.env["PATH"] },
    userId: 0,
    signal: new AbortController().signal,
    program: [],
    commandDirectory: "",
    pluginDirectory: () => "",
  },
};

test("a program that is not there is named, with its package and the way round it", () => {
  assert.throws(() => findProgram(place, "no-such-bgpd", "frr"), {
    name: "LabError",
    message:
      "switch leaf runs frr, but no-such-bgpd is not there: install Debian's package frr, or give --switches caracal",
  });
  assert.match(findProgram(place, "sh", "dash"), /\/sh$/);
});

test("a switch's command puts its own words before the caller's, whatever is in them", () => {
  const binDirectory = mkdtempSync(join(tmpdir(), "switch-"));
  try {
    writeCommand({ ...place, binDirectory }, "show", ["printf", "%s|", "it's", "$HOME"]);
    assert.equal(execFileSync(join(binDirectory, "show"), ["a b"], { encoding: "utf8" }), "it's|$HOME|a b|");
  } finally {
    rmSync(binDirectory, { recursive: true });
  }
});

test("a switch tells of its racks only, and is called by its first address", () => {
  assert.deepEqual(announcedSubnets(place), ["10.0.0.0/24"]);
  assert.equal(routerIdOf(place.spec), "10.0.0.254");
  const neighbor = { name: "worker1.k8s.com", asNumber: 65001, localAddress: "", isNode: true };
  assert.equal(sessionName({ ...neighbor, address: "10.0.0.21" }), "worker1_k8s_com");
  assert.equal(sessionName({ ...neighbor, address: "fd00::21" }), "worker1_k8s_com_v6");
});
