import { isObject } from "./json-shape.ts";

/**
 * A question that travels through the datastore, so that whoever can reach it can ask any node's daemon, wherever the two
 * are: no daemon listens on the network for it.
 *
 *     /caracal/v1/questions/<id>        {"method":"node.status","params":{},"nodes":["a"]}
 *     /caracal/v1/answers/<id>/<node>   {"result":{…}}   or   {"error":{"code":"…","message":"…"}}
 *
 * The asker removes both when it is done; what one that was killed left behind, the next asker removes.
 */
export interface Question {
  readonly method: string;
  readonly params: unknown;
  /** Who is asked; absent: every node. */
  readonly nodes?: readonly string[];
}

export type Answer =
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "error"; readonly code: string; readonly message: string };

export const questionsPrefix = "/caracal/v1/questions/";
const answersRoot = "/caracal/v1/answers/";

/** Everything of questions and answers. */
export const exchangePrefix = "/caracal/v1/";

/** An answer may be as long as this: etcd refuses values of 1.5 MiB. */
export const maxAnswerBytes: number = 1024 * 1024;

export function questionKey(id: string): string {
  return `${questionsPrefix}${id}`;
}

export function answersPrefix(id: string): string {
  return `${answersRoot}${id}/`;
}

export function answerKey(id: string, node: string): string {
  return `${answersPrefix(id)}${node}`;
}

/** The question that a key of either kind belongs to. */
export function questionOf(key: string): string | undefined {
  const root = [questionsPrefix, answersRoot].find((one) => key.startsWith(one));
  return root === undefined ? undefined : key.slice(root.length).split("/")[0];
}

export function readQuestion(text: string): Question | undefined {
  const value = parseObject(text);
  if (value === undefined || typeof value["method"] !== "string") return undefined;
  const { method, params, nodes } = value;
  if (!Array.isArray(nodes)) return { method, params };
  return { method, params, nodes: nodes.map(String) };
}

export function writeAnswer(answer: Answer): string {
  if (answer.kind === "error") {
    const { code, message } = answer;
    return JSON.stringify({ error: { code, message } });
  }
  const text = JSON.stringify({ result: answer.result ?? null });
  if (Buffer.byteLength(text) <= maxAnswerBytes) return text;
  const message = `the answer is longer than ${maxAnswerBytes} bytes: ask for less`;
  return JSON.stringify({ error: { code: "too-large", message } });
}

export function readAnswer(text: string): Answer | undefined {
  const value = parseObject(text);
  if (value === undefined) return undefined;
  const { error } = value;
  if (typeof error !== "object" || error === null) return { kind: "result", result: value["result"] };
  const code: unknown = Reflect.get(error, "code");
  const message: unknown = Reflect.get(error, "message");
  return { kind: "error", code: String(code), message: String(message) };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
