/**
 * Aim: words become arguments, and what a command does not take is refused with its usage.
 * Method: rules like those of `pod add` and `exec`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLabArguments } from "./lab-arguments.ts";

const RULES = { usage: "do A", operandCount: 1, flags: ["--json"], values: ["--name", "--annotation"] };

test("options stand anywhere before the dashes, with a blank or an equals sign", () => {
  const args = parseLabArguments(
    ["--name", "x", "node", "--json", "--annotation=a=b=c", "--annotation", "d=", "--", "ls", "-l", "--"],
    RULES,
  );
  assert.deepEqual(args.operands, ["node"]);
  assert.deepEqual(args.command, ["ls", "-l", "--"]);
  assert.deepEqual([...args.flags], ["--json"]);
  assert.deepEqual(args.values, { "--name": "x" });
  assert.deepEqual(args.annotations, { a: "b=c", d: "" });
  assert.equal(parseLabArguments(["node"], RULES).command, undefined);
});

const REFUSED: readonly (readonly [words: readonly string[], why: string])[] = [
  [[], "a word is missing"],
  [["a", "b"], "unexpected b"],
  [["a", "--nmae", "x"], "unknown option --nmae"],
  [["a", "--json=yes"], "unknown option --json=yes"],
  [["a", "--name"], "--name needs a value"],
  [["a", "--annotation", "x"], "--annotation x: KEY=VALUE is needed"],
];

for (const [words, why] of REFUSED) {
  test(`refused: ${words.join(" ") || "nothing"}`, () => {
    assert.throws(() => parseLabArguments(words, RULES), {
      name: "LabError",
      message: `${why}; usage: caracal lab do A`,
    });
  });
}
