import { type KindName, kinds, type Resource, toJson } from "@caracal/resources";
import { toYaml } from "@caracal/resources/manifest";
import { CliError } from "../cli-error.ts";
import { type CellContext, type Column, columnsOf, namespaceColumn } from "./columns.ts";
import type { OutputFormat } from "./print-resources.ts";
import { columnWidths, tabTable } from "./tab-table.ts";
import { runTemplate } from "./template/run-template.ts";

/** One thing that a watch tells. */
export interface WatchedChange {
  readonly event: "ADDED" | "MODIFIED" | "DELETED";
  readonly resource: Resource;
}

/** Prints changes as they come: rows under one heading, or a document for each. */
export class WatchPrinter {
  readonly #format: OutputFormat;
  readonly #columns: readonly Column[];
  readonly #cells: CellContext;
  readonly #write: (text: string) => void;
  #widths: readonly number[] | undefined;

  /** Throws `CliError` for columns that the kind does not have. */
  constructor(
    options: {
      readonly kind: KindName;
      readonly format: OutputFormat;
      readonly cells: CellContext;
      readonly showsNamespaces: boolean;
    },
    write: (text: string) => void,
  ) {
    const { kind, format, cells, showsNamespaces } = options;
    this.#format = format;
    this.#cells = cells;
    this.#write = write;
    const which =
      format.kind === "table"
        ? format.which
        : format.kind === "columns"
          ? { named: format.headings }
          : "narrow";
    const found = columnsOf(kind, which);
    if (found.kind === "unknown") {
      throw new CliError(
        `Unknown column name '${found.heading}' for ${kind}; it has ${found.known.join(", ")}`,
      );
    }
    const hasNamespace = showsNamespaces && kinds[kind].isNamespaced && format.kind === "table";
    this.#columns = hasNamespace ? [namespaceColumn, ...found.columns] : found.columns;
  }

  /** Prints the heading, unless it is there. */
  begin(): void {
    if (this.#widths === undefined) this.print([]);
  }

  print(changes: readonly WatchedChange[]): void {
    if (this.#format.kind === "yaml" || this.#format.kind === "json") {
      for (const { event, resource } of changes) {
        const document = { type: event, object: resource };
        this.#write(this.#format.kind === "yaml" ? `${toYaml(document)}---\n` : `${toJson(document)}\n`);
      }
      return;
    }
    if (this.#format.kind === "template") {
      for (const { resource } of changes) this.#write(runTemplate(this.#format.template, [resource]));
      return;
    }
    const rows = changes.map(({ event, resource }) => [
      event,
      ...this.#columns.map((column) => column.cell(resource, this.#cells)),
    ]);
    const all =
      this.#widths === undefined
        ? [["EVENT", ...this.#columns.map(({ heading }) => heading)], ...rows]
        : rows;
    this.#widths = columnWidths(all, this.#widths ?? [widestEvent]);
    this.#write(tabTable(all, this.#widths));
  }
}

/** `MODIFIED` and what stands after it. */
const widestEvent = 11;
