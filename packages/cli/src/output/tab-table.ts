const minWidth = 5;
const padding = 3;

/**
 * Text in columns as calicoctl prints it: every cell padded to its column's width, the last one too, so that lines end
 * in blanks. Columns are at least as wide as `least` says: rows that come later stand under those before.
 */
export function tabTable(rows: readonly (readonly string[])[], least: readonly number[] = []): string {
  const widths = columnWidths(rows, least);
  return rows
    .map((row) => `${row.map((cell, column) => pad(cell, widths[column] ?? 0)).join("")}\n`)
    .join("");
}

/** The columns' widths, each at least what `least` says. */
export function columnWidths(
  rows: readonly (readonly string[])[],
  least: readonly number[] = [],
): readonly number[] {
  const widths = [...least];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? minWidth, width(cell) + padding);
    }
  }
  return widths;
}

function pad(cell: string, columnWidth: number): string {
  return cell + " ".repeat(Math.max(0, columnWidth - width(cell)));
}

/** Characters, not UTF-16 units. */
function width(cell: string): number {
  return Array.from(cell).length;
}
