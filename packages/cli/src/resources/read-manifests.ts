import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { type Resource } from "@caracal/resources";
import { type ManifestError, parseManifest } from "@caracal/resources/manifest";
import { CliError, describeError } from "../cli-error.ts";
import type { Arguments } from "../command.ts";
import type { CliContext } from "../context.ts";

/** Longest file read: a manifest is never this long. */
const maxFileBytes = 64 << 20;

/**
 * All resources of every `-f`, in their order: a file, a directory's `.json`, `.yaml` and `.yml` files, or standard input.
 * One document that is wrong fails them all, before anything was changed.
 */
export async function readManifests(ctx: CliContext, args: Arguments): Promise<readonly Resource[]> {
  const { resources, errors } = await checkManifests(ctx, args);
  const [error] = errors;
  if (error !== undefined) throw new CliError(error);
  if (resources.length === 0 && !args.flag("skip-empty")) {
    throw new CliError(`no resources specified in file ${args.texts("filename").join(", ")}`);
  }
  return resources;
}

/** As `readManifests`, but with every error there is: a message for each document that is wrong. */
export async function checkManifests(
  ctx: CliContext,
  args: Arguments,
): Promise<{ readonly resources: readonly Resource[]; readonly errors: readonly string[] }> {
  const resources: Resource[] = [];
  const errors: string[] = [];
  for (const { name, text } of await readFiles(ctx, args)) {
    const manifest = parseManifest(text);
    for (const error of manifest.errors) errors.push(describeManifestError(error, name));
    for (const { resource } of manifest.resources) resources.push(resource);
  }
  return { resources, errors };
}

/** The text of every `-f`, in their order. */
export async function readFiles(ctx: CliContext, args: Arguments): Promise<readonly Source[]> {
  const sources: Source[] = [];
  for (const path of args.texts("filename")) {
    sources.push(...(await readSources(ctx, path, args.flag("recursive"))));
  }
  return sources;
}

/** Calico's words, then where it is. */
function describeManifestError(error: ManifestError, name: string): string {
  const paths = error.problems.map((problem) => problem.path).filter((path) => path !== "");
  const place = [...paths.slice(0, 1), `line ${error.line} of ${name}`].join(", ");
  // Several fields make several lines, and the place is one more.
  return `${error.message}${error.message.includes("\n") ? "\n" : " "}[${place}]`;
}

/** A file, or standard input. */
interface Source {
  readonly name: string;
  readonly text: string;
}

async function readSources(ctx: CliContext, path: string, isRecursive: boolean): Promise<readonly Source[]> {
  if (path === "-") return [{ name: "standard input", text: await readAll(ctx.stdin) }];
  try {
    const info = await stat(path);
    if (info.isDirectory()) {
      const files = await listManifests(path, isRecursive);
      return await Promise.all(files.map(readSource));
    }
    if (info.size > maxFileBytes) throw new Error("file is too large");
    return [await readSource(path)];
  } catch (error) {
    throw new CliError(describeFileError(error, path), { cause: error });
  }
}

async function readSource(name: string): Promise<Source> {
  try {
    return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(await readFile(name)) };
  } catch (error) {
    if (error instanceof TypeError) throw new Error("it is not UTF-8 text", { cause: error });
    throw error;
  }
}

async function listManifests(directory: string, isRecursive: boolean): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: isRecursive });
  return entries
    .filter((entry) => !entry.isDirectory() && [".json", ".yaml", ".yml"].includes(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

async function readAll(source: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const chunk of source) {
    text += chunk;
    if (text.length > maxFileBytes) throw new CliError("standard input is too large");
  }
  return text;
}

function describeFileError(error: unknown, path: string): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return `open ${path}: no such file or directory`;
  if (code === "EACCES") return `open ${path}: permission denied`;
  return `open ${path}: ${describeError(error)}`;
}
