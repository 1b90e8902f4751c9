/** A lock is one program's at a time. Method: flock(1) as the other program, in a directory of this test. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileLock } from "./file-lock.ts";

test("another program's lock is waited for by asking again, and ours keeps others out", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "caracal-lock-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "made", "ipam.lock");
  const first = FileLock.tryOpen(path);
  assert.ok(first !== undefined);
  assert.equal(FileLock.tryOpen(path), undefined, "also within one process");
  const other = spawn("flock", [path, "sh", "-c", "echo held; read _"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => other.kill());
  const held = once(other.stdout, "data");
  first.close();
  await held;
  assert.equal(FileLock.tryOpen(path), undefined);
  other.stdin.end("\n");
  await once(other, "exit");
  using again = FileLock.tryOpen(path);
  assert.ok(again !== undefined);
});

test("a place where no file can be is an error", () => {
  assert.throws(() => FileLock.tryOpen("/dev/null/lock"), { name: "KernelError" });
});

test("a lock on a file that was removed, or made anew, is not of its name any more", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "caracal-lock-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "lock");
  using lock = FileLock.tryOpen(path);
  assert.equal(lock?.isAt(path), true);
  rmSync(path);
  assert.equal(lock?.isAt(path), false);
  writeFileSync(path, "");
  assert.equal(lock?.isAt(path), false);
});
