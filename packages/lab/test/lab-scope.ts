/** Labs for tests: names of their own, texts collected, and everything removed at the end, also what a killed test left. */
import { fileURLToPath } from "node:url";
import type { TestContext } from "node:test";
import { buildPlugins } from "@caracal/cni";
import { listNamespaces } from "@caracal/linux";
import { type LabContext, LabDirectory, runLab, tearDown } from "../src/index.ts";
import { labNames } from "../src/lab-directory.ts";
import { findProcesses, identifyProcess, labProcesses } from "../src/process-identity.ts";

export const TEST_ROOT = "/run/caracal/test-labs";
export const REPOSITORY: string = fileURLToPath(new URL("../../..", import.meta.url));
const FAKE = fileURLToPath(new URL("fake-caracal.ts", import.meta.url));

let labCount = 0;

/** A command's texts and exit code. */
export interface LabOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One test's labs. */
export interface LabScope {
  /** A name no other test uses. */
  readonly newName: () => string;
  /** `caracal lab WORDS…` in this process. */
  readonly lab: (words: readonly string[], changes?: Partial<LabContext>) => Promise<LabOutcome>;
  readonly directory: (name: string) => LabDirectory;
}

/** The context of the command line, with the fake program unless another is given. */
export function labContext(changes: Partial<LabContext> = {}): LabContext {
  return {
    stdout: { write: () => undefined },
    stderr: { write: () => undefined },
    env: process.env,
    userId: 0,
    signal: new AbortController().signal,
    program: [process.execPath, "--disable-warning=ExperimentalWarning", FAKE],
    commandDirectory: `${REPOSITORY}bin`,
    pluginDirectory: () => buildPlugins().directory,
    root: TEST_ROOT,
    ...changes,
  };
}

export async function labScope(t: TestContext, changes: Partial<LabContext> = {}): Promise<LabScope> {
  for (const name of labNames(TEST_ROOT)) {
    const owner = Number(/^t([0-9]+)-/.exec(name)?.[1]);
    if (identifyProcess(owner) === undefined) await tearDown(new LabDirectory(TEST_ROOT, name));
  }
  const names: string[] = [];
  t.after(async () => {
    for (const name of names) await tearDown(new LabDirectory(TEST_ROOT, name));
  });
  return {
    newName: () => {
      const name = `t${process.pid}-${labCount++}`;
      names.push(name);
      return name;
    },
    lab: async (words, more = {}) => {
      const texts = { stdout: "", stderr: "" };
      const sink = (key: "stdout" | "stderr") => ({ write: (text: string) => void (texts[key] += text) });
      const ctx = labContext({ stdout: sink("stdout"), stderr: sink("stderr"), ...changes, ...more });
      return { exitCode: await runLab(words, ctx), ...texts };
    },
    directory: (name) => new LabDirectory(TEST_ROOT, name),
  };
}

/** Everything of a lab that can be left: its directory, namespaces, processes. */
export function traces(lab: LabDirectory): readonly string[] {
  const namespaces = listNamespaces().filter((name) => name.startsWith(`${lab.name}-`));
  const processes = [
    ...labProcesses(lab.path, []),
    ...findProcesses(namespaces.map((name) => `/run/netns/${name}`)),
  ];
  return [...(lab.exists ? [lab.path] : []), ...namespaces, ...processes.map((pid) => `process ${pid}`)];
}
