import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { StoreError } from "@caracal/datastore";
import type { Identity } from "../api/api-server.ts";
import { fields, text } from "../api/json-fields.ts";

/** A program that gives credentials (client.authentication.k8s.io). */
export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly installHint: string | undefined;
  /** What the program is told of the cluster, if it wants to know. */
  readonly cluster: object | undefined;
}

/** A program that takes longer is ended. */
const timeoutMs = 60_000;
const maxOutputBytes = 1024 * 1024;
/** What expires is replaced so long before. */
const marginMs = 30_000;

const run = promisify(execFile);

/** Runs the program; what it gives is good until it expires, or for good when it does not say. */
export async function runExecPlugin(
  plugin: ExecPlugin,
): Promise<{ readonly value: Identity; readonly goodUntilMs: number }> {
  const { command, args, env, apiVersion, cluster } = plugin;
  const spec = { interactive: false, ...(cluster === undefined ? {} : { cluster }) };
  const info = JSON.stringify({ apiVersion, kind: "ExecCredential", spec });
  let output: string;
  try {
    const options = { timeout: timeoutMs, maxBuffer: maxOutputBytes };
    const environment = { ...process.env, ...env, KUBERNETES_EXEC_INFO: info };
    output = (await run(command, args, { ...options, env: environment })).stdout;
  } catch (cause) {
    throw failure(plugin, reasonOf(cause), cause);
  }
  const status = fields(fields(parsed(output))["status"]);
  const token = text(status["token"]);
  const cert = text(status["clientCertificateData"]);
  const key = text(status["clientKeyData"]);
  if (token === undefined && (cert === undefined || key === undefined)) {
    throw failure(plugin, "it gave neither a token nor a certificate with its key");
  }
  const expiry = Date.parse(text(status["expirationTimestamp"]) ?? "");
  return {
    value: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cert === undefined || key === undefined ? {} : { certificate: { cert, key } }),
    },
    goodUntilMs: Number.isNaN(expiry) ? Number.POSITIVE_INFINITY : expiry - marginMs,
  };
}

function reasonOf(error: unknown): string {
  const { code, killed, stderr, message } = fields(error);
  if (code === "ENOENT") return "no such program";
  if (code === "EACCES") return "it cannot be run";
  if (killed === true) return `it did not end within ${timeoutMs / 1000} s`;
  const said = text(typeof stderr === "string" ? stderr.trim() : undefined) ?? text(message) ?? "it failed";
  return said.split("\n", 1)[0] ?? said;
}

function failure({ command, installHint }: ExecPlugin, reason: string, cause?: unknown): StoreError {
  const hint = installHint === undefined ? "" : `; ${installHint.trim().replaceAll(/\s*\n\s*/g, " ")}`;
  return new StoreError("unauthorized", `the credential plugin ${command}: ${reason}${hint}`, { cause });
}

function parsed(output: string): unknown {
  try {
    const value: unknown = JSON.parse(output);
    return value;
  } catch {
    return undefined;
  }
}
