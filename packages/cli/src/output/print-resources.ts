import { readFileSync } from "node:fs";
import { kinds, type Resource, toJson, toList } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { didYouMean } from "../did-you-mean.ts";
import { type CellContext, type Column, columnsOf, namespaceColumn } from "./columns.ts";
import { tabTable } from "./tab-table.ts";
import { describeFileError } from "../file-error.ts";
import { parseTemplate, type Template } from "./template/parse-template.ts";
import { runTemplate } from "./template/run-template.ts";

/** How `get` prints. */
export type OutputFormat =
  | { readonly kind: "table"; readonly which: "narrow" | "wide" }
  | { readonly kind: "columns"; readonly headings: readonly string[] }
  | { readonly kind: "template"; readonly template: Template }
  | { readonly kind: "yaml" | "json" };

/** What `get` found. */
export interface Found {
  readonly resources: readonly Resource[];
  /** Set for a query of one kind: its list, and the revision the list was read at. */
  readonly list?: { readonly kind: Resource["kind"]; readonly resourceVersion?: string };
}

/** Reads the value of `-o`. */
export function parseOutputFormat(text: string): OutputFormat {
  if (text === "yaml" || text === "json") return { kind: text };
  if (text === "yml") return { kind: "yaml" };
  if (text === "" || text === "ps") return { kind: "table", which: "narrow" };
  if (text === "wide") return { kind: "table", which: "wide" };
  const [name, rest] = text.split(/=(.*)/s);
  if (name === "custom-columns") {
    const headings = (rest ?? "").split(",").filter((heading) => heading !== "");
    if (headings.length === 0) throw new CliError("need to specify at least one column");
    return { kind: "columns", headings };
  }
  if (name === "go-template" || name === "go-template-file") {
    return { kind: "template", template: parseTemplate(readTemplate(name, rest ?? "")) };
  }
  const hint = didYouMean(name ?? "", [
    "ps",
    "wide",
    "yaml",
    "json",
    "custom-columns",
    "go-template",
    "go-template-file",
  ]);
  throw new CliError(`unrecognized output format '${text}'${hint}`);
}

function readTemplate(name: string, text: string): string {
  if (text === "") throw new CliError(`need to specify a template: ${name}=…`);
  if (name === "go-template") return text;
  try {
    return readFileSync(text, "utf8");
  } catch (error) {
    throw new CliError(`error reading template file: ${describeFileError(error, text)}`, { cause: error });
  }
}

/** The text that `get` prints. */
export async function formatResources(
  found: Found,
  format: OutputFormat,
  options: { readonly cells: CellContext; readonly showsNamespaces: boolean },
): Promise<string> {
  switch (format.kind) {
    case "yaml": {
      const { toYaml } = await import("@caracal/resources/manifest");
      return toYaml(document(found));
    }
    case "json":
      return `${toJson(document(found))}\n`;
    case "template":
      // Calico gives a template the list of what was asked for: one list document, or resources by name.
      return runTemplate(format.template, found.list === undefined ? found.resources : [document(found)]);
    case "table":
    case "columns":
      return formatTables(found, format, options);
  }
}

/** One resource is itself, a query of a kind its list, a query of several kinds an array. */
function document({ resources, list }: Found): unknown {
  const [only] = resources;
  if (list !== undefined) return toList(kinds[list.kind].listName, resources, list.resourceVersion);
  return resources.length === 1 ? only : resources;
}

/** A table for each kind, and a blank line after each. */
function formatTables(
  { resources, list }: Found,
  format: Extract<OutputFormat, { kind: "table" | "columns" }>,
  options: { readonly cells: CellContext; readonly showsNamespaces: boolean },
): string {
  const names = new Set([...(list === undefined ? [] : [list.kind]), ...resources.map(({ kind }) => kind)]);
  const which = format.kind === "table" ? format.which : { named: format.headings };
  let text = "";
  for (const name of names) {
    const found = columnsOf(name, which);
    if (found.kind === "unknown") {
      throw new CliError(
        `Unknown column name '${found.heading}' for ${name}; it has ${found.known.join(", ")}`,
      );
    }
    const hasNamespace = options.showsNamespaces && kinds[name].isNamespaced && format.kind === "table";
    const columns: readonly Column[] = hasNamespace ? [namespaceColumn, ...found.columns] : found.columns;
    const rows = resources
      .filter(({ kind }) => kind === name)
      .map((resource) => columns.map((column) => column.cell(resource, options.cells)));
    text += `${tabTable([columns.map(({ heading }) => heading), ...rows])}\n`;
  }
  return text;
}
