import { controlRequest } from "@caracal/control";
import type { SessionType } from "./checks/lab-checks.ts";
import { isJsonObject } from "./json-value.ts";
import type { LabDirectory } from "./lab-directory.ts";

/** What a node's daemon tells of itself, as far as a lab looks at it. */
export interface NodeReport {
  readonly isReady: boolean;
  /** Why not. */
  readonly notReadyBecause?: string;
  readonly sessions: readonly SessionView[];
  /** What it cannot do or does not apply, one line each. */
  readonly problems: readonly string[];
}

/** One BGP session as a node sees it. */
export interface SessionView {
  readonly peer: string;
  readonly isMesh: boolean;
  /** As `calicoctl node status` calls it. */
  readonly type: string;
  /** RFC 4271 §8.2.2: `Established`, `Connect`… */
  readonly state: string;
  readonly lastError: string;
}

export const ESTABLISHED = "Established";

/** By the beginning of BIRD's protocol name. */
const TYPES: Readonly<Record<string, SessionType>> = {
  Mesh: "node-to-node mesh",
  Node: "node specific",
  Global: "global",
};

const ANSWER_TIMEOUT_MS = 5_000;

/** The daemon's `node.status`, or `undefined` when it does not answer. */
export async function readNodeReport(lab: LabDirectory, node: string): Promise<NodeReport | undefined> {
  try {
    return toReport(
      await controlRequest(lab.controlSocket(node), "node.status", {}, { timeoutMs: ANSWER_TIMEOUT_MS }),
    );
  } catch {
    return undefined;
  }
}

/** Takes what is needed out of the answer; a part that is missing or odd counts as empty. */
export function toReport(answer: unknown): NodeReport {
  const status = isJsonObject(answer) ? answer : {};
  const [bgp, kernel] = [objectIn(status["bgp"]), objectIn(status["kernel"])];
  const because = status["notReadyBecause"];
  return {
    isReady: status["isReady"] === true,
    ...(typeof because === "string" ? { notReadyBecause: because } : {}),
    sessions: objectsIn(bgp["peers"]).map(toSession),
    problems: [
      ...objectsIn(status["problems"]).map(
        (problem) => `${textIn(problem["about"])}: ${textIn(problem["message"])}`,
      ),
      ...objectsIn(kernel["failures"]).map(
        (one) => `the kernel refuses ${textIn(one["route"])}: ${textIn(one["detail"])}`,
      ),
    ],
  };
}

function toSession(peer: Readonly<Record<string, unknown>>): SessionView {
  const prefix = textIn(peer["name"]).split("_", 1)[0] ?? "";
  const type = TYPES[prefix] ?? "other";
  return {
    peer: textIn(peer["address"]),
    isMesh: prefix === "Mesh",
    type,
    state: textIn(peer["state"]),
    lastError: textIn(peer["lastError"]),
  };
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  return isJsonObject(value) ? value : {};
}

function objectsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}
