import { execFileSync } from "node:child_process";
import type { LabDirectory, NodeRecord, OpenLab, PodRecord } from "@caracal/lab";
import { captureHops, type SeenPacket, type Tap, tcpdumpCommand } from "./hop-capture.ts";
import { podOn, shortName } from "./show-cluster.ts";
import { runCaracal, type Stage } from "./stage.ts";

/** What every host end of a pod's pair has for a MAC. */
const CALI_MAC = "ee:ee:ee:ee:ee:ee";

/** Follows one echo request from a pod of one node to a pod of another, over all four interfaces it passes. */
export async function showHops(stage: Stage, { lab }: OpenLab): Promise<void> {
  const [source, target] = [nodeCalled(lab, "control-plane"), nodeCalled(lab, "worker")];
  const [from, to] = [podOn(lab.pods(), source), podOn(lab.pods(), target)];
  const [fromIp = "", toIp = ""] = [from.addresses[0], to.addresses[0]];
  stage.step(
    `A ping from ${from.name} (${fromIp}) on ${shortName(source)} to ${to.name} (${toIp}) on ${shortName(target)}`,
  );
  const taps = [
    tapOn(lab, source, caliOf(lab, source, fromIp)),
    tapOn(lab, source, "eth0"),
    tapOn(lab, target, "eth0"),
    tapOn(lab, target, caliOf(lab, target, toIp)),
  ] as const;
  for (const [index, tap] of taps.entries()) {
    const node = shortName(index < 2 ? source : target);
    stage.showCommand(["lab", "exec", "--name", lab.name, node, "--", ...tcpdumpCommand(tap, fromIp, toIp)]);
  }
  const packets = await captureHops(taps, fromIp, toIp, () =>
    runCaracal(["lab", "exec", "--name", lab.name, from.name, "--", "ping", "-c", "1", "-W", "2", toIp]),
  );
  for (const packet of packets) stage.say(`\n${packet.tap.title}:\n  ${packet.line}`);
  stage.say("");
  const [leaving, out, arriving, into] = taps.map((tap) => packets.find((packet) => packet.tap === tap));
  expectAddresses(stage, packets, fromIp, toIp);
  const sourceMac = macOf(lab, source.name, "eth0");
  const targetMac = macOf(lab, target.name, "eth0");
  expectMacs(
    stage,
    "at the pod's end: from the pod's MAC to the node's ee:ee:ee:ee:ee:ee, which answers for 169.254.1.1",
    leaving,
    podMac(lab, from),
    CALI_MAC,
  );
  expectMacs(
    stage,
    `on eth0 of ${shortName(source)}: from its own MAC to that of the next hop, ${shortName(target)}`,
    out,
    sourceMac,
    targetMac,
  );
  expectMacs(stage, `on eth0 of ${shortName(target)}: the same frame`, arriving, sourceMac, targetMac);
  expectMacs(
    stage,
    "at the other pod's end: from the node's ee:ee:ee:ee:ee:ee to the pod's MAC",
    into,
    CALI_MAC,
    podMac(lab, to),
  );
}

function expectAddresses(stage: Stage, packets: readonly SeenPacket[], fromIp: string, toIp: string): void {
  const isUnchanged = packets.every((packet) => packet.sourceIp === fromIp && packet.destinationIp === toIp);
  stage.expect(
    `on all four interfaces, so also on eth0, the addresses are the pods' own: ${fromIp} > ${toIp}, no encapsulation`,
    packets.length === 4 && isUnchanged,
  );
}

function expectMacs(
  stage: Stage,
  what: string,
  packet: SeenPacket | undefined,
  from: string,
  to: string,
): void {
  stage.expect(`${what} (${from} > ${to})`, packet?.sourceMac === from && packet.destinationMac === to);
}

function nodeCalled(lab: LabDirectory, name: string): NodeRecord {
  const found = lab.nodes().find((node) => shortName(node) === name);
  if (found === undefined) throw new Error(`the lab has no node ${name}`);
  return found;
}

function tapOn(lab: LabDirectory, node: NodeRecord, name: string): Tap {
  return { title: `${name} of ${shortName(node)}`, namespace: lab.namespacePath(node.name), interface: name };
}

/** The host end of a pod's pair: where the node's route to the pod leads. */
function caliOf(lab: LabDirectory, node: NodeRecord, address: string): string {
  const text = ip(lab, node.name, "route", "get", address);
  return /\bdev (\S+)/.exec(text)?.[1] ?? "none";
}

function podMac(lab: LabDirectory, pod: PodRecord): string {
  return macOf(lab, pod.name, "eth0");
}

function macOf(lab: LabDirectory, part: string, name: string): string {
  return /link\/ether (\S+)/.exec(ip(lab, part, "link", "show", name))?.[1] ?? "none";
}

function ip(lab: LabDirectory, part: string, ...args: readonly string[]): string {
  return execFileSync("ip", ["-n", lab.namespaceName(part), ...args], { encoding: "utf8" });
}
