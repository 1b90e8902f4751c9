/**
 * Aim: the launchers find the pinned Node and the program from anywhere. Method: they are started as a person would,
 * through links, from other directories, and in a copy without Node.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { requireTool } from "@caracal/testbed";

const root = fileURLToPath(new URL("../../../", import.meta.url));

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(program: string, words: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(program, words, { cwd }, (_error, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal launcher "));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a launcher is what its name says, also through links and from another directory", async (t) => {
  const path = await directory(t);
  await symlink(join(root, "bin", "calicoctl"), join(path, "calicoctl"));
  await symlink(join(root, "bin", "birdcl"), join(path, "birdcl"));
  for (const program of [join(root, "bin", "calicoctl"), "./calicoctl"]) {
    const { exitCode, stderr } = await start(program, ["gte"], path);
    assert.equal(exitCode, 1);
    assert.equal(stderr, 'unknown command "gte" for "calicoctl"; did you mean get?\n');
  }
  assert.match(
    (await start("./birdcl", ["-s", "/nowhere", "show", "route"], path)).stderr,
    /^Unable to connect/,
  );
  assert.match((await start("./caracal", ["version", "--client"], root)).stdout, /^Client Version: {4}v\d/);
  assert.match((await start("sh", ["caracal", "gte"], root)).stderr, /for "caracal"/);
});

test("words reach the program as they are", async (t) => {
  const words = ["patch", "pool", "x", "-p", "{a b: 'c $d'", "-c", "/no where"];
  const { stderr } = await start(join(root, "bin", "calicoctl"), words, await directory(t));
  assert.match(stderr, /^the patch is neither JSON nor YAML/);
});

test("without the pinned Node it says what to do", async (t) => {
  const path = await directory(t);
  await copyFile(join(root, "caracal"), join(path, "caracal"));
  assert.deepEqual(await start(join(path, "caracal"), [], tmpdir()), {
    exitCode: 1,
    stdout: "",
    stderr: `caracal: the pinned Node is missing: run 'npm install' in ${path}\n`,
  });
});

test("a reader that stops early is no error", async () => {
  const line = "(./caracal completion fish; echo $? >&2) | head -n 1";
  const { stdout, stderr } = await start("sh", ["-c", line], root);
  assert.match(stdout, /^function __caracal_complete$/m);
  assert.equal(stderr, "0\n");
});

test("kubectl runs it as a plugin", { skip: requireTool("kubectl") }, async () => {
  const env = { ...process.env, PATH: `${join(root, "bin")}:${process.env["PATH"] ?? ""}` };
  const outcome = await new Promise<string>((resolve) => {
    execFile("kubectl", ["calico", "version", "--client"], { env }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  assert.match(outcome, /^Client Version: {4}v\d/);
});
