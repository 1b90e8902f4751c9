/**
 * Starts fast: modules come from one file in which their types are already stripped, instead of from hundreds that Node
 * resolves, reads and strips one by one. It is filled by use: a start that had to read a source adds it at its end.
 *
 * A source counts, not the pack: each module is compared with its file (size and times) when it is loaded, so an edit takes
 * effect at once, and so does another release, even if its archive gave all files the same time. Names and lines are the
 * sources' own, since stripping moves nothing. The pack is replaced as a whole, and a process keeps the one that it opened.
 * Without one, or where it cannot be written, sources are read.
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import {
  type LoadFnOutput,
  type LoadHookSync,
  registerHooks,
  type ResolveHookSync,
  stripTypeScriptTypes,
} from "node:module";
import { resolve as resolvePath } from "node:path";
import { fileURLToPath } from "node:url";

/** What a file was when it was read: times in ms, of which only the first can be set by whoever writes it, and size. */
type Stamp = readonly [modifiedAt: number, changedAt: number, size: number];

/** A packed module: its source's stamp, and where its text stands among the texts. */
type Packed = readonly [...Stamp, offset: number, length: number];

/** Paths are relative to the root. */
interface Index {
  /** Who made the pack: another Node strips types its own way. */
  readonly maker: string;
  readonly modules: Readonly<Record<string, Packed>>;
  /** Where names of packages lead, with the stamp of the package's manifest. */
  readonly names: Readonly<Record<string, readonly [path: string, ...Stamp]>>;
}

const maker = `${process.version} pack 2`;
/** The index's length in decimal stands before it. */
const headBytes = 12;
/** A file changed this recently may change again without its stamp showing it: the kernel's clock of files is coarse. */
const settledMs = 2000;

/** Loads the modules of `packages/` under `root` (a directory's URL) through the pack in `directory` from now on. */
export function loadThroughPack(root: URL, directory: string, now: () => number = Date.now): void {
  const pack = new ModulePack(root, directory, now);
  registerHooks({ resolve: pack.resolve, load: pack.load });
  process.once("exit", () => pack.save());
}

class ModulePack {
  readonly #rootUrl: string;
  readonly #packagesUrl: string;
  readonly #rootPath: string;
  readonly #file: string;
  readonly #directory: string;
  readonly #descriptor: number | undefined;
  readonly #textsAt: number = 0;
  readonly #index: Index = { maker, modules: {}, names: {} };
  /** What this process read from sources. */
  readonly #addedModules = new Map<string, { readonly stamp: Stamp; readonly text: string }>();
  readonly #addedNames = new Map<string, readonly [string, ...Stamp]>();
  readonly #now: () => number;

  constructor(root: URL, directory: string, now: () => number) {
    this.#now = now;
    this.#rootUrl = root.href;
    this.#packagesUrl = `${root.href}packages/`;
    this.#rootPath = fileURLToPath(root);
    // The launcher's path may be relative, and the program may go elsewhere.
    this.#directory = resolvePath(directory);
    // Several installations may share a user's cache; the end of a path tells them apart.
    this.#file = `${this.#directory}/modules-${encodeURIComponent(this.#rootPath).slice(-200)}`;
    const opened = openPack(this.#file);
    if (opened === undefined) return;
    this.#descriptor = opened.descriptor;
    this.#textsAt = opened.textsAt;
    this.#index = opened.index;
  }

  readonly resolve: ResolveHookSync = (specifier, context, next) => {
    const known = specifier.startsWith(".")
      ? this.#relative(specifier, context.parentURL)
      : this.#named(specifier);
    if (known !== undefined) return { url: known, format: "module", shortCircuit: true };
    const resolved = next(specifier, context);
    const path = this.#pathOf(resolved.url);
    if (specifier.startsWith("@caracal/") && path !== undefined) {
      const stamp = stampOf(this.#manifestOf(path));
      if (stamp !== undefined) this.#addedNames.set(specifier, [path, ...stamp]);
    }
    return resolved;
  };

  readonly load: LoadHookSync = (url, context, next) => {
    const path = this.#pathOf(url);
    const stamp = path === undefined ? undefined : stampOf(this.#rootPath + path);
    if (path === undefined || stamp === undefined) return next(url, context);
    const packed = this.#index.modules[path];
    const text = packed === undefined || !isSame(packed, stamp) ? undefined : this.#textOf(packed);
    if (text !== undefined) return moduleOf(text);
    try {
      return moduleOf(this.#add(path, stamp));
    } catch {
      // Node's own words for a source that it cannot read.
      return next(url, { ...context, format: undefined });
    }
  };

  /** Writes a pack with what was added; what has changed or gone since is left out. */
  save(): void {
    if (this.#addedModules.size === 0) return;
    try {
      mkdirSync(this.#directory, { recursive: true });
      replaceFile(this.#file, Buffer.concat(this.#content()));
    } catch {
      // Not writable, or full: the next start reads sources again.
    }
  }

  /** A relative import names a file: no search. */
  #relative(specifier: string, parent: string | undefined): string | undefined {
    if (parent?.startsWith(this.#rootUrl) !== true) return undefined;
    const url = new URL(specifier, parent).href;
    const path = this.#pathOf(url);
    return path === undefined || !Object.hasOwn(this.#index.modules, path) ? undefined : url;
  }

  #named(specifier: string): string | undefined {
    if (!Object.hasOwn(this.#index.names, specifier)) return undefined;
    const found = this.#index.names[specifier];
    if (found === undefined) return undefined;
    const [path, ...stamp] = found;
    const now = stampOf(this.#manifestOf(path));
    return now !== undefined && isSame(stamp, now) ? this.#rootUrl + path : undefined;
  }

  /** The path under the root of a TypeScript module of ours. */
  #pathOf(url: string): string | undefined {
    if (
      !url.startsWith(this.#packagesUrl) ||
      !url.endsWith(".ts") ||
      url.includes("%", this.#packagesUrl.length)
    ) {
      return undefined;
    }
    return url.slice(this.#rootUrl.length);
  }

  #manifestOf(path: string): string {
    return `${this.#rootPath}${path.split("/", 2).join("/")}/package.json`;
  }

  #add(path: string, stamp: Stamp): string {
    const text = stripTypeScriptTypes(readFileSync(this.#rootPath + path, "utf8"));
    const [, changedAt] = stamp;
    if (this.#now() - changedAt > settledMs) this.#addedModules.set(path, { stamp, text });
    return text;
  }

  #textOf([, , , offset, length]: Packed): string | undefined {
    if (this.#descriptor === undefined) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    const count = readSync(this.#descriptor, bytes, 0, length, this.#textsAt + offset);
    return count === length ? bytes.toString() : undefined;
  }

  #content(): Buffer[] {
    const modules: Record<string, Packed> = {};
    const texts: Buffer[] = [];
    let offset = 0;
    const put = (path: string, stamp: Stamp, text: string): void => {
      const bytes = Buffer.from(text);
      modules[path] = [...stamp, offset, bytes.length];
      texts.push(bytes);
      offset += bytes.length;
    };
    for (const [path, packed] of Object.entries(this.#index.modules)) {
      const stamp = this.#addedModules.has(path) ? undefined : stampOf(this.#rootPath + path);
      const text = stamp === undefined || !isSame(packed, stamp) ? undefined : this.#textOf(packed);
      if (stamp !== undefined && text !== undefined) put(path, stamp, text);
    }
    for (const [path, { stamp, text }] of this.#addedModules) put(path, stamp, text);
    const names = { ...this.#index.names, ...Object.fromEntries(this.#addedNames) };
    const index = Buffer.from(JSON.stringify({ maker, modules, names } satisfies Index));
    return [Buffer.from(`${index.length}`.padStart(headBytes)), index, ...texts];
  }
}

interface OpenPack {
  readonly descriptor: number;
  readonly index: Index;
  readonly textsAt: number;
}

/** `undefined` for one that is not there or is of another maker. */
function openPack(file: string): OpenPack | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const head = Buffer.alloc(headBytes);
    readSync(descriptor, head, 0, headBytes, 0);
    const length = Number(head.toString());
    if (!(length <= fstatSync(descriptor).size)) throw new Error("not a pack");
    const bytes = Buffer.allocUnsafe(length);
    readSync(descriptor, bytes, 0, length, headBytes);
    const index: unknown = JSON.parse(bytes.toString());
    if (isIndex(index)) return { descriptor, index, textsAt: headBytes + length };
  } catch {
    // As if there were none.
  }
  if (descriptor !== undefined) closeSync(descriptor);
  return undefined;
}

/** Only packs of this very program are read: their index needs no closer look. */
function isIndex(value: unknown): value is Index {
  return typeof value === "object" && value !== null && "maker" in value && value.maker === maker;
}

function replaceFile(file: string, content: Buffer): void {
  const temporary = `${file}.${process.pid}`;
  try {
    const descriptor = openSync(temporary, "wx", 0o644);
    try {
      writeFileSync(descriptor, content);
      // A crash of the machine must not leave a file of zeros under the name.
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function moduleOf(source: string): LoadFnOutput {
  return { format: "module", source, shortCircuit: true };
}

function stampOf(path: string): Stamp | undefined {
  const found: Stats | undefined = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : [found.mtimeMs, found.ctimeMs, found.size];
}

function isSame(left: readonly number[], right: Stamp): boolean {
  return right.every((part, index) => part === left[index]);
}
