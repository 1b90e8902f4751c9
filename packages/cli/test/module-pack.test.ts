/**
 * Aim: a pack of modules makes starts fast and is never noticed otherwise. Method: a small program of two packages is started
 * in processes of its own; a pack that was made to say something else than the sources shows which of both was read.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";

const packCode = JSON.stringify(new URL("../src/module-pack.ts", import.meta.url).href);
const longAgo = new Date("2020-01-01T00:00:00Z");
/** Ahead of the time at which the sources were written, so that they are old enough to be packed; in ms. */
const later = 3_600_000;

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that prints what its modules say. */
class Program {
  readonly #root: string;
  readonly cache: string;

  private constructor(root: string) {
    this.#root = root;
    this.cache = join(root, "node_modules", ".cache", "x");
  }

  static async make(t: TestContext): Promise<Program> {
    const root = await mkdtemp(join(tmpdir(), "caracal pack "));
    t.after(() => rm(root, { recursive: true, force: true }));
    const program = new Program(root);
    const manifest = { name: "@caracal/word", type: "module", exports: "./src/index.ts" };
    // Node finds a package by its name from inside it.
    await program.write("packages/word/package.json", JSON.stringify(manifest));
    await program.write(
      "packages/word/src/main.ts",
      [
        'import { word } from "@caracal/word";',
        "interface Gap { readonly a: number }",
        "const later: boolean = process.argv.includes('late');",
        'if (later) { process.stdin.resume(); console.log("ready"); for await (const _ of process.stdin); }',
        'const { late } = await import("./late.ts");',
        "console.log(word, late);",
        "if (process.argv.includes('fail')) throw new Error('trouble');",
      ].join("\n"),
    );
    await program.write("packages/word/src/index.ts", "export const word: string = 'früh';");
    await program.write("packages/word/src/late.ts", "export const late: string = 'late';");
    return program;
  }

  /** All with one time of modification, as in an archive that can be made again. */
  async write(path: string, text: string): Promise<void> {
    const file = join(this.#root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    await utimes(file, longAgo, longAgo);
  }

  /** So that only who reads the pack notices. */
  async alterPack(from: string, to: string): Promise<void> {
    const [old, other] = [from, to].map((text) => Buffer.from(text).toString("latin1"));
    assert.ok(old !== undefined && other?.length === old.length);
    const file = await this.packFile();
    const text = await readFile(file, "latin1");
    assert.ok(text.includes(old));
    await writeFile(file, text.replace(old, other), "latin1");
  }

  remove(path: string): Promise<void> {
    return rm(join(this.#root, path));
  }

  start(
    words: readonly string[] = [],
    meanwhile?: () => Promise<void>,
    clockAheadMs = later,
  ): Promise<Outcome> {
    const root = pathToFileURL(`${this.#root}/`);
    const main = new URL("packages/word/src/main.ts", root).href;
    const code = `
      const { loadThroughPack } = await import(${packCode});
      const now = () => Date.now() + ${clockAheadMs};
      loadThroughPack(new URL(${JSON.stringify(root.href)}), ${JSON.stringify(this.cache)}, now);
      await import(${JSON.stringify(main)});`;
    const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module"];
    return new Promise((resolve, reject) => {
      const child = execFile(
        process.execPath,
        [...flags, "-e", code, "--", ...words],
        (_error, stdout, stderr) => resolve({ stdout, stderr }),
      );
      if (meanwhile === undefined) return;
      child.stdout?.once("data", () => {
        meanwhile().then(() => child.stdin?.end(), reject);
      });
    });
  }

  async said(...words: readonly string[]): Promise<string> {
    const { stdout, stderr } = await this.start(words);
    return (stdout + stderr).trim();
  }

  async packFile(): Promise<string> {
    const names = await readdir(this.cache);
    assert.equal(names.length, 1, `one file, nothing temporary: ${names.join(", ")}`);
    return join(this.cache, names[0] ?? "");
  }
}

test("the second start reads the pack, and a change of a source takes effect at once", async (t) => {
  const program = await Program.make(t);
  assert.equal(await program.said(), "früh late");
  await program.alterPack("früh", "spät");
  assert.equal(await program.said(), "spät late");
  await program.write("packages/word/src/index.ts", "export const word: string = 'changed';");
  assert.equal(await program.said(), "changed late");
  await program.alterPack("'changed'", "'unknown'");
  assert.equal(await program.said(), "unknown late");
});

test("a source of the same size and time of modification counts too", async (t) => {
  const program = await Program.make(t);
  assert.equal(await program.said(), "früh late");
  await program.write("packages/word/src/index.ts", "export const word: string = 'spät';");
  assert.equal(await program.said(), "spät late");
});

test("a source that has just been written is not packed: it may change again unseen", async (t) => {
  const program = await Program.make(t);
  const { stdout } = await program.start([], undefined, 0 - later);
  assert.equal(stdout, "früh late\n");
  await assert.rejects(readdir(program.cache), { code: "ENOENT" });
});

test("a name leads where its package says now", async (t) => {
  const program = await Program.make(t);
  assert.equal(await program.said(), "früh late");
  const manifest = { name: "@caracal/word", type: "module", exports: "./src/another.ts" };
  await program.write("packages/word/package.json", JSON.stringify(manifest));
  await program.write("packages/word/src/another.ts", "export const word = 'other';");
  assert.equal(await program.said(), "other late");
  assert.equal(await program.said(), "other late");
});

test("traces name the source's own lines, and a source that is gone is missed", async (t) => {
  const program = await Program.make(t);
  for (const form of ["sources", "pack"]) {
    assert.match((await program.start(["fail"])).stderr, /trouble\n.*\/word\/src\/main\.ts:7:/s, form);
  }
  await program.remove("packages/word/src/late.ts");
  assert.match((await program.start()).stderr, /late\.ts/);
  await program.write("packages/word/src/late.ts", "export const late: = 'late';");
  assert.match((await program.start()).stderr, /late\.ts.*Syntax/s);
});

test("a pack that is damaged or of another maker is as none, and is replaced", async (t) => {
  const program = await Program.make(t);
  await program.start();
  const file = await program.packFile();
  const good = await readFile(file);
  const other = Buffer.from(good.toString("latin1").replace(/pack \d/, "pack 0"), "latin1");
  const huge = Buffer.concat([Buffer.from("999999999999"), good.subarray(12)]);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(good.length), good.subarray(0, 40), other, huge]) {
    await writeFile(file, bytes);
    assert.equal(await program.said(), "früh late");
    assert.deepEqual(await readFile(file), good);
  }
  // Of an index without its texts, the sources are read.
  await writeFile(file, good.subarray(0, good.length - 20));
  assert.equal(await program.said(), "früh late");
});

test("where nothing can be written, sources are read", async (t) => {
  const program = await Program.make(t);
  await program.write("node_modules/.cache/x", "a file, not a directory");
  assert.equal(await program.said(), "früh late");
});

test("a process keeps the pack that it opened, whatever becomes of the file", async (t) => {
  const program = await Program.make(t);
  await program.start();
  await program.alterPack("= 'late'", "= 'none'");
  const outcome = await program.start(["late"], async () => rm(await program.packFile()));
  assert.equal(outcome.stdout, "ready\nfrüh none\n");
});

test("first starts at once do not disturb each other", async (t) => {
  const program = await Program.make(t);
  const said = await Promise.all(Array.from({ length: 6 }, () => program.said()));
  assert.deepEqual([...new Set(said)], ["früh late"]);
  await program.packFile();
});
