/** What a container runtime hands to the plugin, and what the daemon answers: one CNI answer or one line, never an exception. */
import assert from "node:assert/strict";
import { type FuzzTarget, mutateText } from "@caracal/testbed";
import { type PluginAnswer, type PluginCall, planCall, readAnswer, unanswered } from "../src/plugin-call.ts";

type Round = FuzzTarget["round"];

const configurations = [
  '{"cniVersion":"1.1.0","name":"k8s","type":"calico","ipam":{"type":"calico-ipam"},"mtu":1440}',
  '{"cniVersion":"0.3.1","caracal_run_dir":"/run/c","prevResult":{"ips":[{"address":"10.0.0.1/32"}]}}',
];
const answers = [
  '{"id":1,"result":{"exitCode":0,"stdout":"{}","stderr":"x"}}',
  '{"id":1,"error":{"code":"busy","message":"later"}}',
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
  '"__proto__":',
  "\\ud800",
  "\\u0000",
  "/../",
];

const call: Round = (dice, show) => {
  const plugin: PluginCall = {
    name: dice.pick(["calico", "calico-ipam", ""]),
    environment: {
      CNI_COMMAND: dice.pick(["ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION", "", "add\n"]),
      CNI_ARGS: mutateText(dice, "K8S_POD_NAME=a;K8S_POD_NAMESPACE=b", [";", "=", ";;"]),
      CNI_IFNAME: dice.pick(["eth0", "", "../x"]),
    },
    stdin: mutateText(dice, dice.pick(configurations), words),
  };
  show(plugin);
  const step = planCall(plugin);
  if (step.kind === "answer") {
    assertAnswer(step.answer);
  } else {
    assert.ok(Buffer.byteLength(step.socket) <= 107);
    assert.equal(step.line.indexOf("\n"), step.line.length - 1, "one line");
    JSON.parse(step.line);
  }
  assertAnswer(unanswered(plugin, "message", "details"));
};

const answer: Round = (dice, show) => {
  const line = mutateText(dice, dice.pick(answers), words);
  show(line);
  const plugin = { name: "calico", environment: { CNI_COMMAND: "ADD" }, stdin: "{}" };
  const read = readAnswer(plugin, line);
  assert.equal(typeof read.exitCode, "number");
  assert.equal(typeof read.stdout, "string");
};

/** The CNI specification wants JSON on stdout, and an error object where the exit code is not 0. */
function assertAnswer({ exitCode, stdout }: PluginAnswer): void {
  const value: unknown = JSON.parse(stdout);
  assert.ok(typeof value === "object" && value !== null);
  if (exitCode !== 0) assert.ok("code" in value && "msg" in value && "cniVersion" in value);
}

export const targets: readonly FuzzTarget[] = [
  { name: "CNI calls", rounds: 3000, round: call },
  { name: "CNI answers of the daemon", rounds: 2000, round: answer },
];
