/**
 * Aim: a topology whose nodes run BIRD is refused where that is another BIRD, or none. Method: programs that only tell a version.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkBackends } from "./check-backends.ts";
import type { LabContext } from "./lab-context.ts";
import { parseTopology } from "./parse-topology.ts";

const topology = parseTopology(
  `name: birds
pool: { cidr: 10.244.0.0/16 }
networks: [{ name: lan, subnet: 10.0.0.0/24 }]
nodes:
  - { name: a, address: 10.0.0.1 }
  - { name: b, address: 10.0.0.2, backend: bird }
`,
  "birds.yaml",
);

function contextOf(env: Readonly<Record<string, string>>): LabContext {
  const sink = { write: () => undefined };
  return {
    stdout: sink,
    stderr: sink,
    env: { ...process.env, ...env },
    userId: 0,
    signal: new AbortController().signal,
    program: [],
    commandDirectory: "",
    pluginDirectory: () => "",
  };
}

test("BIRD must be there and of the version whose language is written", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "check-backends-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const birdOf = (version: string): string => {
    const path = join(directory, version);
    writeFileSync(path, `#!/bin/sh\necho "BIRD version ${version}" >&2\n`, { mode: 0o755 });
    return path;
  };
  const check = (bird: string, bird6: string): Promise<void> =>
    checkBackends(topology, contextOf({ CARACAL_BIRD: bird, CARACAL_BIRD6: bird6 }));
  await check(birdOf("1.6.8"), birdOf("v0.3.3+birdv1.6.8"));
  await assert.rejects(check(birdOf("2.0.12"), birdOf("1.6.8")), /^LabError: node b .* is BIRD 2\.0\.12: /);
  await assert.rejects(check(birdOf("1.6.8"), join(directory, "none")), /none is not there: .*CARACAL_BIRD6/);
});
