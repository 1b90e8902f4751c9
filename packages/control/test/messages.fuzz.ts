/** Lines of the control socket: a request or the failure to answer with, a response or none; never an exception. */
import assert from "node:assert/strict";
import { type FuzzTarget, mutateText } from "@caracal/testbed";
import { LineSplitter } from "../src/line-splitter.ts";
import { readRequest, readResponse, writeFailure, writeResult } from "../src/message.ts";

type Round = FuzzTarget["round"];

const lines = [
  '{"id":7,"method":"node.status","params":{"a":[1,null,true]}}',
  '{"id":"x","method":"cni","params":{}}',
  '{"id":7,"result":{"routes":[]}}',
  '{"id":null,"error":{"code":"malformed","message":"no"}}',
];
const words = [
  "{",
  "}",
  "[",
  "]",
  '"',
  ",",
  ":",
  "null",
  "1e999",
  "-0",
  '"__proto__":',
  "\\ud800",
  "\\u0000",
  " ",
];

const message: Round = (dice, show) => {
  const line = mutateText(dice, dice.pick(lines), words);
  show(line);
  const request = readRequest(line);
  if ("error" in request) assert.equal(typeof writeFailure(request.id, request.error), "string");
  else assert.equal(JSON.stringify(readRequest(JSON.stringify(request))), JSON.stringify(request));
  const response = readResponse(line);
  if (response?.kind === "result" && response.id !== null) {
    const again = readResponse(writeResult(response.id, response.result).trimEnd());
    assert.equal(JSON.stringify(again), JSON.stringify({ ...response, result: response.result ?? null }));
  }
};

const splitting: Round = (dice, show) => {
  const limit = 64;
  const text = Array.from({ length: dice.below(6) }, () => "é".repeat(dice.below(40))).join("\n");
  const bytes = new TextEncoder().encode(`${text}\n`);
  show(text);
  const splitter = new LineSplitter(limit);
  const found: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + dice.below(20);
    const some = splitter.push(bytes.slice(at, at + size));
    at += size;
    if (some === "too-large") {
      assert.ok(text.split("\n").some((line) => new TextEncoder().encode(line).length > limit));
      return;
    }
    found.push(...some);
  }
  assert.deepEqual(found, text.split("\n"));
};

export const targets: readonly FuzzTarget[] = [
  { name: "control messages", rounds: 4000, round: message },
  { name: "control lines", rounds: 1000, round: splitting },
];
