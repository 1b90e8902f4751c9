/** Unchanged lines shown around a change. */
const contextLines = 3;

/** Largest table of line pairs compared; what is more differs as a whole. */
const maxPairs = 4_000_000;

interface Line {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

/** The lines that go (`-`) and come (`+`) from one text to the other, with some that stay around them; `…` where more stay. */
export function lineDiff(before: string, after: string): string {
  const lines = compare(splitLines(before), splitLines(after));
  const isNear = lines.map(() => false);
  for (const [index, { mark }] of lines.entries()) {
    if (mark === " ") continue;
    for (let near = index - contextLines; near <= index + contextLines; near += 1) {
      if (near in isNear) isNear[near] = true;
    }
  }
  let text = "";
  let isSkipping = false;
  for (const [index, line] of lines.entries()) {
    if (isNear[index] === true) text += `${line.mark} ${line.text}\n`;
    else if (!isSkipping) text += "  …\n";
    isSkipping = isNear[index] !== true;
  }
  return text;
}

function splitLines(text: string): readonly string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function compare(before: readonly string[], after: readonly string[]): readonly Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const room = Math.min(before.length, after.length) - start;
  while (end < room && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  return [
    ...marked(" ", before.slice(0, start)),
    ...compareMiddle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...marked(" ", before.slice(before.length - end)),
  ];
}

/** By the longest common subsequence of lines. */
function compareMiddle(before: readonly string[], after: readonly string[]): readonly Line[] {
  if (before.length * after.length > maxPairs) return [...marked("-", before), ...marked("+", after)];
  const width = after.length + 1;
  // common[i * width + j]: how many lines before[i…] and after[j…] have in common.
  const common = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      lines.push({ mark: " ", text: before[i] ?? "" });
      [i, j] = [i + 1, j + 1];
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      lines.push({ mark: "-", text: before[i] ?? "" });
      i += 1;
    } else {
      lines.push({ mark: "+", text: after[j] ?? "" });
      j += 1;
    }
  }
  return [...lines, ...marked("-", before.slice(i)), ...marked("+", after.slice(j))];
}

function marked(mark: Line["mark"], texts: readonly string[]): readonly Line[] {
  return texts.map((text) => ({ mark, text }));
}
