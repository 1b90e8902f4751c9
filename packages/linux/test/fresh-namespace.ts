// For the kernel tests: namespaces that vanish with the test, and `ip -j` as an independent witness.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { createNamespace, deleteNamespace } from "../src/index.ts";

/** Why kernel tests cannot run here, or `false`. */
export function kernelSkip(tools: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  for (const tool of tools) {
    if (spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0) return `needs ${tool}`;
  }
  return false;
}

/** A namespace of a unique name, removed when the test ends however it ends. */
export function freshNamespace(t: Pick<TestContext, "after">): string {
  const name = `ck${process.pid}-${randomBytes(3).toString("hex")}`;
  createNamespace(name);
  t.after(() => deleteNamespace(name));
  return name;
}

/** Runs a command inside the namespace and returns what it printed. */
export function run(namespace: string, ...command: string[]): string {
  return execFileSync("ip", ["netns", "exec", namespace, ...command], { encoding: "utf8" });
}

/** What `ip -j …` prints inside the namespace. */
export function ipJson(namespace: string, args: string): unknown {
  return JSON.parse(run(namespace, "ip", "-j", ...args.split(" ")) || "[]");
}

/** The objects of a JSON array; `ip` prints empty ones for what a filter hid. */
export function rows(json: unknown): Record<string, unknown>[] {
  assert.ok(Array.isArray(json));
  const list: unknown[] = json;
  return list.filter((row): row is Record<string, unknown> => isRecord(row) && Object.keys(row).length > 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
