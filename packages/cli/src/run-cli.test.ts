/** Aim: a person who does not know the grammar is told it. Method: help, unknown words and completion, as printed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { nodes, pool, storeOf } from "../test/resources-fixture.ts";
import { run } from "../test/test-context.ts";
import { commandTable } from "./command-table.ts";

test("help lists the commands, or tells about one", async () => {
  const overview = await run("--help");
  assert.equal(overview.exitCode, 0);
  const shown = Object.keys(commandTable).filter((name) => !name.startsWith("__"));
  assert.doesNotMatch(overview.stdout, /__/);
  for (const name of shown) assert.match(overview.stdout, new RegExp(`^  ${name} `, "m"));
  assert.equal((await run([])).stdout, overview.stdout);
  assert.equal((await run("help")).stdout, overview.stdout);
  const get = (await run("get --help")).stdout;
  assert.match(get, /^Show resources\.\n\nUsage:\n {2}calicoctl get \(KIND \[NAME\]… \| -f FILE\)/);
  assert.match(get, /^ {2}-o, --output FORMAT +Output format\. \(ps, wide, yaml, json, /m);
  assert.equal((await run("help get")).stdout, get);
  assert.equal((await run("get nodes -h")).stdout, get);
  assert.match((await run("node")).stdout, /^The node daemon.*\n\nUsage:\n {2}calicoctl node COMMAND/);
  assert.match(
    (await run("ipam show -h", { guise: "kubectl-calico" })).stdout,
    /^ {2}kubectl calico ipam show/m,
  );
});

test("an unknown word is one line, with what was probably meant", async () => {
  for (const [line, stderr] of [
    ["gte nodes", 'unknown command "gte" for "calicoctl"; did you mean get?'],
    ["frobnicate", 'unknown command "frobnicate" for "calicoctl"'],
    ["node stauts", 'unknown command "stauts" for "calicoctl node"; did you mean status?'],
    ["help aply", 'unknown command "aply" for "calicoctl"; did you mean apply?'],
    ["constructor", 'unknown command "constructor" for "calicoctl"'],
    ["-c file get nodes", "unknown flag: -c; options of a command stand after its name"],
    ["node status now", 'node status takes no operands: unexpected "now"'],
    ["version -l loud", "unknown log level: loud; it is one of panic, fatal, error, warn, info, debug"],
    ["completion tcsh", "completion needs the name of a shell: bash, zsh, fish"],
  ] as const) {
    assert.deepEqual(await run(line), { exitCode: 1, stdout: "", stderr: `${stderr}\n` }, line);
  }
});

test("global options may stand before the command", async () => {
  assert.match((await run("-l debug --context=x version --client")).stdout, /^Client Version/);
});

test("bash's script asks the program, and takes what it says", async () => {
  const script = (await run("completion bash")).stdout;
  // The function stands for the program: it offers what it was asked, and the directive.
  const complete = (line: string, directive = ":4"): string[] => {
    const program = `${script}
calicoctl() { printf '%s\\n' "$*" "${directive}"; }; COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _caracal; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", program], { encoding: "utf8" }).replace(/\n$/, "").split("\n");
  };
  assert.deepEqual(complete("calicoctl ge"), ["__complete ge"]);
  assert.deepEqual(complete("calicoctl get -n blue wep "), ["__complete get -n blue wep "]);
  assert.deepEqual(complete("calicoctl get wep --output=ya", ":6"), ["__complete get wep --output=ya"]);
  assert.deepEqual(complete("calicoctl apply -f /etc/host", ":0").slice(1).includes("/etc/hosts"), true);
});

test("zsh and fish get scripts of their own", async () => {
  assert.match((await run("completion zsh")).stdout, /^compdef _caracal calicoctl caracal$/m);
  assert.match(
    (await run("completion fish")).stdout,
    /^complete -c calicoctl -f -a '\(__caracal_complete\)'$/m,
  );
});

test("kubectl is told what may follow `kubectl calico`", async () => {
  const store = await storeOf({
    ...nodes,
    "ippools/pool-a": pool,
    "networkpolicies/blue/p": { kind: "NetworkPolicy", spec: {} },
  });
  const complete = async (...words: readonly string[]): Promise<readonly string[]> => {
    const { exitCode, stdout, stderr } = await run(words, {
      guise: "kubectl_complete-calico",
      store,
      sleep: (_ms, signal) => new Promise((resolve) => signal?.addEventListener("abort", () => resolve())),
    });
    assert.deepEqual([exitCode, stderr], [0, ""], words.join(" "));
    return stdout.trimEnd().split("\n");
  };
  for (const [words, offered] of [
    [["ge"], ["get", ":4"]],
    [
      ["node", "st"],
      ["status", ":4"],
    ],
    [
      ["datastore", "migrate", "ex"],
      ["export", ":4"],
    ],
    [
      ["get", "ippo"],
      ["ippool", ":4"],
    ],
    [
      ["get", "node", "no"],
      ["node1.whale.com", "node2.whale.com", ":4"],
    ],
    [
      ["get", "node", "node1.whale.com", "no"],
      ["node2.whale.com", ":4"],
    ],
    [
      ["get", "-n", "x", "node", "mas"],
      ["master.whale.com", ":4"],
    ],
    [
      ["get", "node", "--all-n"],
      ["--all-namespaces", ":4"],
    ],
    [
      ["get", "node", "-o", "js"],
      ["json", ":4"],
    ],
    [["apply", "-f", ""], [":0"]],
    [
      ["completion", "b"],
      ["bash", ":4"],
    ],
    [
      ["get", "node", "--output=js"],
      ["json", ":4"],
    ],
    [
      ["get", "-A", "node", "mas"],
      ["master.whale.com", ":4"],
    ],
    [
      ["--context=x", "-l", "debug", "get", "node", "mas"],
      ["master.whale.com", ":4"],
    ],
    [
      ["get", "np", "-o", "custom"],
      ["custom-columns=", ":6"],
    ],
    [
      ["explain", "ippool.spec.ci"],
      ["ippool.spec.cidr", ":6"],
    ],
    [["explain", "ippool.nothing.x"], [":6"]],
    [
      ["get", "np", "-n", "bl"],
      ["blue", ":4"],
    ],
    [["label", "node", "master.whale.com", "no"], [":4"]],
    [
      ["node", "status", "--node", "mas"],
      ["master.whale.com", ":4"],
    ],
    [
      ["ipam", "split", "2", "--name=p"],
      ["pool-a", ":4"],
    ],
    [
      ["ipam", "split", "2", "--cidr", ""],
      ["10.244.0.0/16", ":4"],
    ],
    [["get", "nonsense", ""], [":4"]],
    [["nothing", "x"], [":4"]],
  ] as const) {
    assert.deepEqual(await complete(...words), offered, words.join(" "));
  }
  const silent = await run(["get", "node", ""], { guise: "kubectl_complete-calico" });
  assert.deepEqual(silent, { exitCode: 0, stdout: ":4\n", stderr: "" }, "a datastore that is away");
  const all = await complete("");
  assert.ok(all.includes("get") && all.includes("ipam") && !all.some((word) => word.startsWith("__")));
});
