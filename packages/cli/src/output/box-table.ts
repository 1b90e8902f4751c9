/** A table in a box as `node status` and `ipam show` print it: headings centred, numbers to the right. */
export function boxTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const border = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+\n`;
  const line = (cells: readonly string[], align: (cell: string, width: number) => string): string =>
    `|${widths.map((width, column) => ` ${align(cells[column] ?? "", width)} `).join("|")}|\n`;
  const body = rows.map((row) => line(row, alignCell)).join("");
  return `${border}${line(heading, centre)}${border}${body}${body === "" ? "" : border}`;
}

function centre(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return " ".repeat(left) + text.padEnd(width - left);
}

function alignCell(text: string, width: number): string {
  return /^-?\d+(\.\d+)?%?$/.test(text) ? text.padStart(width) : text.padEnd(width);
}
