/**
 * The rules of the house that a machine can check: floors, purity, sizes, names, exports, and what the text may say.
 * Each test reads the files that git knows and lists every breach, so that one run shows all there is to mend.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";

/** Imports point to a lower floor, or sideways along `sideways`. */
const floors: Readonly<Record<string, number>> = {
  net: 0,
  netlink: 1,
  resources: 1,
  "etcd-api": 1,
  bgp: 2,
  datastore: 2,
  ipam: 2,
  intent: 2,
  dataplane: 2,
  forwarding: 2,
  linux: 3,
  "store-etcd": 3,
  "store-embedded": 3,
  "store-kubernetes": 3,
  "bgp-intent": 3,
  confd: 3,
  "bgp-tcp": 3,
  control: 3,
  "bird-view": 3,
  questions: 3,
  testbed: 3,
  node: 4,
  cni: 4,
  lab: 4,
  speaker: 4,
  insight: 4,
  cli: 5,
};
const sideways = new Set(["ipam → datastore"]);
const testOnlyPackage = "testbed";
const highestPureFloor = 2;
/** A file longer than this is about more than one thing. Generated code is excepted. */
const maxLines = 600;
const bannedNames = /^(utils?|helpers?|common|misc|stuff|lib)$/;

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly package: string | undefined;
  readonly isTest: boolean;
}

const tracked = projectFiles().filter((path) => path !== "" && existsSync(path));
const sources: readonly SourceFile[] = tracked
  .filter((path) => path.endsWith(".ts") && !path.includes("/generated/"))
  .map((path) => ({
    path,
    text: readFileSync(path, "utf8"),
    package: /^packages\/([^/]+)\//.exec(path)?.[1],
    isTest: path.endsWith(".test.ts") || /^packages\/[^/]+\/(test|bench)\//.test(path),
  }));

/** What git knows and does not ignore; without git, all but what is installed or built. */
function projectFiles(): readonly string[] {
  try {
    const words = ["ls-files", "--cached", "--others", "--exclude-standard"];
    return execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n");
  } catch {
    const built = new Set(["node_modules", ".types", "dist", ".git"]);
    return globSync("**/*", { exclude: (path) => built.has(basename(path)) }).filter((path) =>
      statSync(path).isFile(),
    );
  }
}

function importsOf(text: string): readonly string[] {
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;"']*?["']([^"']+)["']/g)].flatMap(
    (match) => match[1] ?? [],
  );
}

function assertNone(breaches: readonly string[], rule: string): void {
  assert.equal(breaches.length, 0, `${rule}\n  ${breaches.join("\n  ")}`);
}

test("every package has a floor", () => {
  const packages = new Set(sources.flatMap((file) => file.package ?? []));
  assertNone(
    [...packages].filter((name) => floors[name] === undefined),
    "name its floor in test/tidy.test.ts:",
  );
});

test("imports between packages point down", () => {
  const breaches: string[] = [];
  for (const file of sources) {
    if (file.package === undefined || file.isTest) continue;
    for (const target of importsOf(file.text)) {
      const name = /^@caracal\/([^/]+)/.exec(target)?.[1];
      if (name === undefined) continue;
      const isLower = (floors[name] ?? 99) < (floors[file.package] ?? -1);
      const isAllowed =
        isLower || sideways.has(`${file.package} → ${name}`) || file.package === testOnlyPackage;
      if (!isAllowed || (name === testOnlyPackage && file.package !== testOnlyPackage)) {
        breaches.push(`${file.path} imports @caracal/${name}`);
      }
    }
  }
  assertNone(breaches, "an import must point to a lower floor:");
});

test("floors 0 to 2 are pure", () => {
  const breaches: string[] = [];
  for (const file of sources) {
    if (file.package === undefined || file.isTest || (floors[file.package] ?? 99) > highestPureFloor)
      continue;
    for (const target of importsOf(file.text)) {
      if (target.startsWith("node:") || target === "koffi" || target.startsWith("@grpc/")) {
        breaches.push(`${file.path} imports ${target}`);
      }
    }
    if (/\bMath\.random\b|\bDate\.now\b|\bnew Date\(\)/.test(file.text))
      breaches.push(`${file.path} reads a clock or dice`);
  }
  assertNone(breaches, "floors 0 to 2 take time, randomness and I/O as arguments:");
});

test("pure packages see no platform types", () => {
  const breaches = Object.entries(floors)
    .filter(([name, floor]) => floor <= highestPureFloor && existsSync(`packages/${name}/tsconfig.json`))
    .filter(
      ([name]) => !readFileSync(`packages/${name}/tsconfig.json`, "utf8").includes("tsconfig.pure.json"),
    )
    .map(([name]) => `packages/${name}/tsconfig.json`);
  assertNone(breaches, "must extend tsconfig.pure.json:");
});

test("files stay readable in size", () => {
  const breaches = sources
    .map((file) => ({ path: file.path, lines: file.text.split("\n").length }))
    .filter((file) => file.lines > maxLines)
    .map((file) => `${file.path}: ${file.lines} lines`);
  assertNone(breaches, `more than ${maxLines} lines; split it by what it is about:`);
});

test("names say what a thing is", () => {
  const breaches = tracked
    .filter((path) => path.startsWith("packages/") || path.startsWith("scripts/"))
    .filter(
      (path) =>
        path.split("/").some((part) => bannedNames.test(part.replace(/\.[^/]*$/, ""))) ||
        (path.endsWith(".ts") &&
          !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.ts$/.test(basename(path)) &&
          !path.includes("/generated/")),
    );
  assertNone(breaches, "banned or not kebab-case:");
});

test("only a package's index is a barrel, and it opens with what the package is", () => {
  const breaches: string[] = [];
  for (const file of sources) {
    if (/^export \*/m.test(file.text)) breaches.push(`${file.path}: export *`);
    if (/^export default/m.test(file.text)) breaches.push(`${file.path}: export default`);
    if (/^packages\/[^/]+\/src\/index\.ts$/.test(file.path)) {
      if (!file.text.startsWith("/**")) breaches.push(`${file.path}: no opening comment`);
    } else if (file.path.endsWith("/index.ts")) breaches.push(`${file.path}: a second barrel`);
  }
  assertNone(breaches, "exports:");
});

test("a test file opens with its aim and method", () => {
  const breaches = sources
    .filter((file) => file.path.endsWith(".test.ts") && !/^\/[/*]/.test(file.text))
    .map((file) => file.path);
  assertNone(breaches, "no opening comment:");
});

test("types are not forced", () => {
  const breaches: string[] = [];
  for (const file of sources) {
    for (const [index, line] of file.text.split("\n").entries()) {
      if (/@ts-(ignore|nocheck|expect-error)/.test(line) && file.path !== "test/tidy.test.ts") {
        breaches.push(`${file.path}:${index + 1}`);
      }
    }
  }
  assertNone(breaches, "silenced type errors:");
});

test("the text names no machine and no package registry", () => {
  const banned = [/registry\.npmjs/i, /deb\.debian/i, new RegExp("/wo" + "rk/"), new RegExp("/ro" + "ot/")];
  const breaches: string[] = [];
  for (const path of tracked) {
    const text = readFileSync(path, "utf8");
    for (const pattern of banned) {
      if (pattern.test(text) && path !== "test/tidy.test.ts") breaches.push(`${path}: ${pattern.source}`);
    }
  }
  assertNone(breaches, "the project speaks of itself alone:");
});
