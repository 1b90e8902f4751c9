import { StoreError } from "@caracal/datastore";

/** A line longer than this is no event: an object is a hundredth of it. */
const maxLineBytes = 16 * 1024 * 1024;
const newline = 0x0a;

/** The lines of a stream, all those together that came together. */
export async function* eventLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly string[], void> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      held.push(chunk.subarray(start, end));
      const line = Buffer.concat(held).toString("utf8");
      if (line.trim() !== "") lines.push(line);
      held = [];
      heldBytes = 0;
      start = end + 1;
    }
    held.push(chunk.subarray(start));
    heldBytes += chunk.length - start;
    if (heldBytes > maxLineBytes) throw new StoreError("unavailable", "an event of a watch never ends");
    if (lines.length > 0) yield lines;
  }
}
