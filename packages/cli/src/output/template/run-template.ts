import { isRecord } from "@caracal/resources";
import { CliError } from "../../cli-error.ts";
import type { Operand, Pipeline, Template, TemplateNode } from "./parse-template.ts";

/** Longest output: a template that repeats itself has no other end. */
const maxOutputLength = 64 << 20;

/** The text that a template makes of a value. */
export function runTemplate({ nodes, defined }: Template, data: unknown): string {
  const output: string[] = [];
  let length = 0;
  const write = (text: string): void => {
    length += text.length;
    if (length > maxOutputLength) throw fail("the output is too long");
    output.push(text);
  };
  runNodes(nodes, { dot: data, variables: variablesOf(data), write, defined, depth: 0 });
  return output.join("");
}

/** Templates that run each other: one that runs itself without end stops here. */
const maxRuns = 1000;

/** Variables of a block, and those around it. */
interface Variables {
  readonly own: Map<string, unknown>;
  readonly outer: Variables | undefined;
}

function variablesOf(data: unknown): Variables {
  return { own: new Map([["$", data]]), outer: undefined };
}

interface Scope {
  readonly dot: unknown;
  /** By name, with the dollar sign. */
  readonly variables: Variables;
  readonly write: (text: string) => void;
  readonly defined: Template["defined"];
  /** Templates around this one. */
  readonly depth: number;
}

/** How a block ended: at its end, or by leaving the range's round, or the range. */
type Ending = "end" | "break" | "continue";

function runNodes(nodes: readonly TemplateNode[], scope: Scope): Ending {
  for (const node of nodes) {
    switch (node.kind) {
      case "text":
        scope.write(node.text);
        break;
      case "print":
        scope.write(formatValue(valueOf(node.pipeline, scope)));
        break;
      case "declare":
        scope.variables.own.set(`$${node.name}`, valueOf(node.pipeline, scope));
        break;
      case "assign":
        holderOf(`$${node.name}`, scope).set(`$${node.name}`, valueOf(node.pipeline, scope));
        break;
      case "break":
      case "continue":
        return node.kind;
      case "template":
        runDefined(node, scope);
        break;
      default: {
        const ending = runControl(node, scope);
        if (ending !== "end") return ending;
      }
    }
  }
  return "end";
}

function runDefined(node: Extract<TemplateNode, { kind: "template" }>, scope: Scope): void {
  const { name, pipeline } = node;
  const nodes = scope.defined.get(name);
  if (nodes === undefined) throw fail(`template "${name}" is not defined`);
  if (scope.depth >= maxRuns) throw fail(`templates run each other more than ${maxRuns} deep`);
  const dot = pipeline === undefined ? undefined : valueOf(pipeline, scope);
  runNodes(nodes, { ...scope, dot, variables: variablesOf(dot), depth: scope.depth + 1 });
}

function runControl(node: Extract<TemplateNode, { variables: readonly string[] }>, scope: Scope): Ending {
  const value = valueOf(node.pipeline, scope);
  const inner = (dot: unknown, values: readonly unknown[]): Scope => {
    const own = new Map(node.variables.map((name, index) => [`$${name}`, values[index]]));
    return { ...scope, dot, variables: { own, outer: scope.variables } };
  };
  if (node.kind !== "range") {
    const dot = node.kind === "with" ? value : scope.dot;
    return isTrue(value)
      ? runNodes(node.body, inner(dot, [value]))
      : runNodes(node.otherwise, inner(scope.dot, [value]));
  }
  const entries = entriesOf(value);
  if (entries.length === 0) return runNodes(node.otherwise, inner(scope.dot, []));
  for (const [key, element] of entries) {
    const values = node.variables.length > 1 ? [key, element] : [element];
    if (runNodes(node.body, inner(element, values)) === "break") break;
  }
  return "end";
}

function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return [...value.entries()];
  if (isRecord(value)) return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  throw fail(`range can't iterate over ${formatValue(value)}`);
}

function valueOf({ commands }: Pipeline, scope: Scope): unknown {
  let passed: readonly unknown[] = [];
  for (const [first, ...rest] of commands) {
    if (first === undefined) continue;
    const given = [...rest.map((operand) => operandValue(operand, scope)), ...passed];
    if (first.kind !== "function" && given.length > 0) throw fail("only a function takes arguments");
    passed = [first.kind === "function" ? call(first.name, given) : operandValue(first, scope)];
  }
  return passed[0];
}

function operandValue(operand: Operand, scope: Scope): unknown {
  switch (operand.kind) {
    case "literal":
      return operand.value;
    case "function":
      return call(operand.name, []);
    case "fields": {
      const { of, fields } = operand;
      const base = of === "." ? scope.dot : typeof of === "string" ? variable(of, scope) : valueOf(of, scope);
      return fields.reduce(fieldOf, base);
    }
  }
}

function variable(name: string, scope: Scope): unknown {
  return holderOf(name, scope).get(name);
}

/** The innermost block's variables that have this one. */
function holderOf(name: string, { variables }: Scope): Map<string, unknown> {
  for (let at: Variables | undefined = variables; at !== undefined; at = at.outer) {
    if (at.own.has(name)) return at.own;
  }
  throw fail(`undefined variable "${name}"`);
}

/** Where Go's structures have other names than the documents. */
const goNames: Readonly<Record<string, string>> = { objectmeta: "metadata", listmeta: "metadata" };

/** A field by its name in the document or in Go: `spec.cidr` is `.Spec.CIDR`, and `.Name` that of the metadata. */
function fieldOf(value: unknown, name: string): unknown {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) throw fail(`can't evaluate field ${name} in ${formatValue(value)}`);
  if (Object.hasOwn(value, name)) return value[name];
  const wanted = name.toLowerCase();
  const isTypeOnly = wanted === "typemeta";
  if (isTypeOnly) return value;
  const key = Object.keys(value).find((own) => own.toLowerCase() === (goNames[wanted] ?? wanted));
  if (key !== undefined) return value[key];
  if (isRecord(value.metadata)) {
    const { metadata } = value;
    const inner = Object.keys(metadata).find((own) => own.toLowerCase() === wanted);
    if (inner !== undefined) return metadata[inner];
    if (typeof value.kind === "string" && wanted !== "status") {
      throw fail(`can't evaluate field ${name} in a ${value.kind}`);
    }
  }
  // A field that is not set is not in the document.
  return undefined;
}

type TemplateFunction = (values: readonly unknown[]) => unknown;

const functions: Readonly<Record<string, TemplateFunction>> = {
  and: (values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (values) => values.find(isTrue) ?? values.at(-1),
  not: ([value]) => !isTrue(value),
  len: ([value]) => (typeof value === "string" ? value.length : entriesOf(value).length),
  index: ([value, ...keys]) => keys.reduce((inner, key) => elementOf(inner, key), value),
  eq: ([first, ...others]) => others.some((other) => other === first),
  ne: ([first, second]) => first !== second,
  lt: ([a, b]) => compare(a, b) < 0,
  le: ([a, b]) => compare(a, b) <= 0,
  gt: ([a, b]) => compare(a, b) > 0,
  ge: ([a, b]) => compare(a, b) >= 0,
  print: (values) => values.map(formatValue).join(""),
  println: (values) => `${values.map(formatValue).join(" ")}\n`,
  printf: ([format, ...values]) => formatText(formatValue(format), values),
  join: ([list, separator]) =>
    entriesOf(list)
      .map(([, value]) => formatValue(value))
      .join(formatValue(separator)),
};

function call(name: string, values: readonly unknown[]): unknown {
  const known = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (known === undefined)
    throw fail(`function "${name}" is not known; there are ${Object.keys(functions).join(", ")}`);
  return known(values);
}

function elementOf(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    const index = Number(key);
    if (!(index in list)) throw fail(`index out of range: ${formatValue(key)}`);
    return list[index];
  }
  return isRecord(value) && Object.hasOwn(value, String(key)) ? value[String(key)] : undefined;
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : Number(a > b);
  throw fail("incompatible types for comparison");
}

/** What Go takes for false: nothing, zero, and what is empty. */
function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A value as Go's print does. */
function formatValue(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return `[${value.map(formatValue).join(" ")}]`;
  if (isRecord(value))
    return `map[${entriesOf(value)
      .map(([key, inner]) => `${String(key)}:${formatValue(inner)}`)
      .join(" ")}]`;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function formatText(format: string, values: readonly unknown[]): string {
  const rest = [...values];
  return format.replaceAll(/%(-?)(\d*)([svdqt%])/g, (_match, left: string, width: string, verb: string) => {
    if (verb === "%") return "%";
    const value = formatValue(rest.shift());
    const text = verb === "q" ? JSON.stringify(value) : value;
    return left === "-" ? text.padEnd(Number(width)) : text.padStart(Number(width));
  });
}

function fail(why: string): CliError {
  return new CliError(`error in go-template: ${why}`);
}
