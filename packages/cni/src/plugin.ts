#!/usr/bin/env node
/**
 * The CNI plugins `calico` and `calico-ipam` for Node: the same program as native/plugin.c, used where that one cannot be
 * built. Started by the launcher that build.ts writes, with the plugin's name as its first argument.
 */
import { connect } from "node:net";
import { stderr, stdin, stdout } from "node:process";

import {
  ClientErrorCode,
  failure,
  inputBytesMax,
  lineBytesMax,
  planCall,
  PluginOption,
  readAnswer,
  unanswered,
} from "./plugin-call.ts";
import type { PluginAnswer, PluginCall } from "./plugin-call.ts";

/** Longer than any deadline inside the daemon, shorter than the two minutes a kubelet waits. */
const answerMs = 100_000;

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    // One byte over is enough to know: planCall refuses it.
    if (length > inputBytesMax) break;
  }
  return Buffer.concat(chunks).toString();
}

function ask(call: PluginCall, path: string, line: string): Promise<PluginAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const socket = connect(path, () => socket.write(line));
    const away = (message: string, details = ""): void =>
      resolve(failure(call, ClientErrorCode.tryAgainLater, message, details));
    socket.on("error", (error) =>
      resolve(unanswered(call, `the node daemon cannot be reached at ${path}`, error.message)),
    );
    socket.on("close", () => away("the node daemon closed the connection before it answered"));
    socket.on("data", (data) => {
      const chunk = typeof data === "string" ? Buffer.from(data) : data;
      chunks.push(chunk);
      length += chunk.length;
      if (chunk.includes(0x0a)) {
        resolve(readAnswer(call, Buffer.concat(chunks).toString()));
      } else if (length > lineBytesMax) {
        resolve(failure(call, ClientErrorCode.ioFailure, "the node daemon's answer is longer than 4 MiB"));
      }
    });
  });
}

function finish(answer: PluginAnswer): void {
  if (answer.stderr !== undefined) stderr.write(answer.stderr);
  stdout.write(answer.stdout, () => process.exit(answer.exitCode));
}

async function main(): Promise<void> {
  const [, , name = "calico", ...words] = process.argv;
  const named: PluginCall = { name, environment: process.env, stdin: "", words };
  setTimeout(() => {
    finish(failure(named, ClientErrorCode.tryAgainLater, "the node daemon did not answer in time"));
  }, answerMs);
  const needsInput =
    words.length > 0 ? words[0] === PluginOption.test : process.env["CNI_COMMAND"] !== undefined;
  const isUpgrade = words[0] === PluginOption.upgrade;
  const call: PluginCall = { ...named, stdin: needsInput ? await readInput() : isUpgrade ? "{}" : "" };
  const step = planCall(call);
  finish(step.kind === "answer" ? step.answer : await ask(call, step.socket, step.line));
}

await main();
