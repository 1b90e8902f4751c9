import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { replaceHostFile } from "./host-file.ts";

/** `native`: compiled from native/plugin.c. `node`: launchers of the same program in TypeScript on this Node. */
export type PluginForm = "native" | "node";

export interface BuiltPlugins {
  /** What a container runtime's CNI_PATH names: holds `calico` and `calico-ipam`. */
  readonly directory: string;
  readonly form: PluginForm;
  /** Why the native form was not built, when it was not. */
  readonly reason?: string;
}

export interface BuildOptions {
  /** Where to build; the default is this package's own `dist`. */
  readonly output?: string;
  /** Node even where a compiler is there. */
  readonly form?: PluginForm;
}

const names = ["calico", "calico-ipam"] as const;
const packageDirectory = dirname(import.meta.dirname);
const sources = [
  "native/plugin.c",
  "src/plugin.ts",
  "src/plugin-call.ts",
  "src/build-plugins.ts",
  "src/host-file.ts",
];
// Tried in this order; a static program starts a fifth faster, and not every compiler can make one.
const compilers = ["cc", "gcc", "tcc"];
const flagSets = [["-O2", "-s", "-static"], ["-O2", "-s"], []];

/** Builds the plugins if their sources have changed since the last time; quick when they have not. */
export function buildPlugins(options: BuildOptions = {}): BuiltPlugins {
  const output = options.output ?? join(packageDirectory, "dist");
  const directory = join(output, "bin");
  const stampFile = join(output, "stamp.json");
  const stamp = stampOf(options);
  const last = names.every((name) => existsSync(join(directory, name))) ? readStamp(stampFile) : undefined;
  if (last?.["stamp"] === stamp && (last["form"] === "native" || last["form"] === "node")) {
    const reason = last["reason"];
    return { directory, form: last["form"], ...(typeof reason === "string" && { reason }) };
  }
  mkdirSync(directory, { recursive: true });
  const failure = options.form === "node" ? "the Node form was asked for" : buildNative(directory);
  if (failure !== undefined) buildNode(output, directory);
  const form = failure === undefined ? "native" : "node";
  const reason = failure === undefined ? {} : { reason: failure };
  const record = JSON.stringify({ stamp, form, ...reason });
  replaceHostFile(stampFile, { content: Buffer.from(record), mode: 0o644 });
  return { directory, form, ...reason };
}

/** Undefined when built; otherwise why not, in one sentence. */
function buildNative(directory: string): string | undefined {
  const source = join(packageDirectory, "native/plugin.c");
  const target = join(directory, `.build-${process.pid}`);
  let complaint = "no C compiler is installed (cc, gcc or tcc, with libc6-dev)";
  try {
    for (const compiler of compilers) {
      for (const flags of flagSets) {
        const built = spawnSync(compiler, [...flags, "-o", target, source], { encoding: "utf8" });
        if (built.error !== undefined) break; // This compiler is not installed.
        if (built.status === 0 && answersVersion(target)) {
          const program = readFileSync(target);
          for (const name of names) replaceHostFile(join(directory, name), { content: program, mode: 0o755 });
          return undefined;
        }
        complaint = `${compiler} failed: ${built.stderr.trim().split("\n")[0] ?? ""}`;
      }
    }
  } finally {
    rmSync(target, { force: true });
  }
  return complaint;
}

/** A compiler that works and a program that runs are two things: a wrong architecture shows here. */
function answersVersion(program: string): boolean {
  const answer = spawnSync(program, { input: "{}", env: { CNI_COMMAND: "VERSION" }, encoding: "utf8" });
  return answer.status === 0 && answer.stdout.includes("supportedVersions");
}

function buildNode(output: string, directory: string): void {
  const modules = join(output, "node");
  mkdirSync(modules, { recursive: true });
  // Stripped once here: stripping at every start would more than double its time.
  for (const name of ["plugin", "plugin-call"]) {
    const source = readFileSync(join(packageDirectory, `src/${name}.ts`), "utf8");
    const script = stripTypeScriptTypes(source).replaceAll(/(from "\.\/[a-z-]+)\.ts"/g, '$1.mjs"');
    replaceHostFile(join(modules, `${name}.mjs`), { content: Buffer.from(script), mode: 0o644 });
  }
  for (const name of names) {
    const words = [process.execPath, join(modules, "plugin.mjs"), name];
    const launcher = Buffer.from(`#!/bin/sh\nexec ${words.map(quote).join(" ")} "$@"\n`);
    replaceHostFile(join(directory, name), { content: launcher, mode: 0o755 });
  }
}

/** What the build depends on: sources, the Node that the launchers name, and which form was asked for. */
function stampOf(options: BuildOptions): string {
  const hash = createHash("sha256").update(
    `${process.execPath}\n${options.form ?? ""}\n${process.env["PATH"] ?? ""}`,
  );
  for (const source of sources) hash.update(readFileSync(join(packageDirectory, source)));
  return hash.digest("hex");
}

function readStamp(file: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
