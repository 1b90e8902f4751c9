import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { isRecord } from "@caracal/resources";
import type { CniCall } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { type CniResult, readResult } from "./cni-result.ts";
import { JsonReading } from "./json-reading.ts";

/** A plugin that says nothing for so long is ended: shorter than the deadline of the call that waits for it. */
const pluginMs = 30_000;
const outputBytesMax = 1 << 20;

/**
 * Runs another IPAM plugin as the specification has it ("Delegated plugins"): found in CNI_PATH, with the same
 * configuration and environment. Gives its result for ADD; its failure is thrown with its own code.
 */
export async function runIpamPlugin(
  type: string,
  call: CniCall,
  command: string,
): Promise<CniResult | undefined> {
  const program = await findPlugin(type, call.path);
  const { exitCode, stdout, stderr } = await run(program, call, command);
  if (exitCode !== 0) throw failureOf(type, stdout, stderr);
  return command === "ADD"
    ? readResult(JsonReading.parse(stdout, `the result of IPAM plugin ${type}`))
    : undefined;
}

async function findPlugin(type: string, path: string): Promise<string> {
  for (const directory of path.split(":")) {
    if (!directory.startsWith("/")) continue;
    const program = `${directory}/${type}`;
    try {
      await access(program, constants.X_OK);
      return program;
    } catch {
      // The next directory may have it.
    }
  }
  throw new CniError(CniCode.invalidConfig, `IPAM plugin ${type} is not in CNI_PATH`, path);
}

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, call: CniCall, command: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = {
      PATH: process.env["PATH"],
      CNI_COMMAND: command,
      CNI_CONTAINERID: call.containerId,
      CNI_NETNS: call.netns,
      CNI_IFNAME: call.ifname,
      // Other plugins refuse arguments that they do not know, and Kubernetes' are only ours.
      CNI_ARGS: call.args === "" ? "IgnoreUnknown=1" : `${call.args};IgnoreUnknown=1`,
      CNI_PATH: call.path,
    };
    const child = spawn(program, { env, timeout: pluginMs, killSignal: "SIGKILL" });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        if (output[stream].length < outputBytesMax) output[stream] += chunk;
      });
    }
    child.on("error", (cause) => {
      reject(new CniError(CniCode.ioFailure, `${program} cannot be run`, cause.message, { cause }));
    });
    child.on("close", (exitCode) => resolve({ exitCode, ...output }));
    // A plugin may end without reading its input; its answer counts.
    child.stdin.on("error", () => undefined);
    child.stdin.end(call.stdin);
  });
}

function failureOf(type: string, stdout: string, stderr: string): CniError {
  const said = parse(stdout);
  const { code, msg, details } = isRecord(said) ? said : {};
  if (typeof code !== "number" || typeof msg !== "string") {
    return new CniError(CniCode.internal, `IPAM plugin ${type} failed`, stderr.trim());
  }
  return new CniError(code, `IPAM plugin ${type}: ${msg}`, typeof details === "string" ? details : "");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
