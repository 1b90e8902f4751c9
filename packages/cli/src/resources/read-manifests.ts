import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { type Resource } from "@caracal/resources";
import { type ManifestError, parseManifest } from "@caracal/resources/manifest";
import { CliError } from "../cli-error.ts";
import type { Arguments } from "../command.ts";
import type { CliContext } from "../context.ts";
import { describeFileError } from "../file-error.ts";

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
  return resources;
}

/** As `readManifests`, but with every error there is: a message for each document that is wrong and each file without any. */
export async function checkManifests(
  ctx: CliContext,
  args: Arguments,
): Promise<{ readonly resources: readonly Resource[]; readonly errors: readonly string[] }> {
  const resources: Resource[] = [];
  const errors: string[] = [];
  const mustBeSome = !args.flag("skip-empty");
  for (const path of args.texts("filename")) {
    const sources = await readSources(ctx, path, args.flag("recursive"));
    if (sources.length === 0 && mustBeSome) errors.push(`no resources specified in directory ${path}`);
    for (const { name, text } of sources) {
      const manifest = parseManifest(text);
      const isEmpty = manifest.errors.length + manifest.resources.length === 0;
      if (isEmpty && mustBeSome) errors.push(`no resources specified in file ${path === "-" ? path : name}`);
      for (const error of manifest.errors) errors.push(describeManifestError(error, name));
      for (const { resource } of manifest.resources) resources.push(resource);
    }
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
