/** Aim: words are sorted as calicoctl sorts them. Method: each form of writing an option, and each mistake. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Option } from "./command.ts";
import { parseArguments } from "./parse-arguments.ts";

const options: readonly Option[] = [
  { name: "filename", short: "f", value: "FILE", summary: "" },
  { name: "recursive", short: "R", summary: "" },
  { name: "output", short: "o", value: "FORMAT", summary: "" },
];

function parse(line: string): unknown {
  const args = parseArguments(line.split(" "), options);
  return [args.positional, args.text("filename"), args.text("output"), args.flag("recursive")];
}

test("options stand anywhere, in every form", () => {
  for (const line of [
    "get pool -f a -o wide -R",
    "-fa get -owide pool -R",
    "--filename=a --output wide get --recursive pool",
    "get -Rf a pool -o=wide",
    "--recursive=true get pool --filename a --output=wide",
  ]) {
    assert.deepEqual(parse(line), [["get", "pool"], "a", "wide", true], line);
  }
  assert.deepEqual(parse("-f - -- -x --y"), [["-x", "--y"], "-", undefined, false]);
  assert.deepEqual(parse("--recursive=false"), [[], undefined, undefined, false]);
});

test("a mistake is one line that says which word", () => {
  for (const [line, message] of [
    ["--fielname a", "unknown flag: --fielname; did you mean --filename?"],
    ["--zzz", "unknown flag: --zzz"],
    ["-x", "unknown shorthand flag: 'x' in -x"],
    ["--filename", "flag needs an argument: --filename"],
    ["-f", "flag needs an argument: 'f' in -f"],
    ["--recursive=perhaps", 'invalid argument "perhaps" for "--recursive": true or false'],
  ] as const) {
    assert.throws(() => parse(line), { message }, line);
  }
});
