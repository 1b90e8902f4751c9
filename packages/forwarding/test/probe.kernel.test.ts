/**
 * Aim: a probe is a packet that kernels take as one, and is known again wherever it comes through. Method: two
 * namespaces with a cable and a VXLAN tunnel; probes of every kind are sent raw and captured on all interfaces; the far
 * kernel answers only what is right to the last checksum.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import {
  createNamespace,
  deleteNamespace,
  namespacePath,
  PacketCapture,
  sendRawPacket,
} from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import { eventually, requireRoot, requireTool } from "@caracal/testbed";
import { minProbeBytes, type Probe, probeMarkBytes, probePacket, readFrame } from "../src/index.ts";

const skip = requireRoot() || requireTool("ip");
const ports = { source: 40_001, destination: 33_434 };

function address(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

/** `a` is 10.9.0.1, fd09::1 and, through VXLAN 77, 10.8.0.1; `b` has the next addresses. */
function twoNamespaces(t: TestContext): { readonly a: string; readonly b: string } {
  const [a = "", b = ""] = ["a", "b"].map((end) => {
    const name = `cp${process.pid}-${randomBytes(3).toString("hex")}${end}`;
    createNamespace(name);
    t.after(() => deleteNamespace(name));
    return name;
  });
  const ip = (name: string, words: string): void =>
    void execFileSync("ip", ["-n", name, ...words.split(" ")]);
  ip(a, `link add eth0 type veth peer name eth0 netns ${b}`);
  for (const [name, own, other] of [
    [a, 1, 2],
    [b, 2, 1],
  ] as const) {
    ip(name, "link set lo up");
    ip(name, "link set eth0 up");
    ip(name, `addr add 10.9.0.${own}/24 dev eth0`);
    ip(name, `addr add fd09::${own}/64 dev eth0 nodad`);
    ip(name, `link add vx type vxlan id 77 dstport 4789 local 10.9.0.${own} remote 10.9.0.${other} dev eth0`);
    ip(name, "link set vx up");
    ip(name, `addr add 10.8.0.${own}/24 dev vx`);
  }
  return { a: namespacePath(a), b: namespacePath(b) };
}

async function seen(
  { a, b }: { readonly a: string; readonly b: string },
  probe: Omit<Probe, "mark" | "sourcePort" | "destinationPort">,
  until: (lines: readonly string[]) => boolean,
): Promise<readonly string[]> {
  const mark = randomBytes(probeMarkBytes);
  using near = PacketCapture.open(mark, a);
  using far = PacketCapture.open(mark, b);
  sendRawPacket(
    probePacket({ ...probe, mark, sourcePort: ports.source, destinationPort: ports.destination }),
    probe.destination,
    a,
  );
  const lines: string[] = [];
  await eventually(() => {
    for (const [name, capture] of [["a", near] as const, ["b", far] as const]) {
      for (const { device, direction, hardwareType, bytes } of capture.drain()) {
        const frame = readFrame(bytes, hardwareType, ports);
        const headers = frame?.headers.map(
          ({ source, destination, vni }) =>
            `${source}>${destination}${vni === undefined ? "" : ` vni ${vni}`}`,
        );
        lines.push(`${name} ${device} ${direction} ${frame?.what} ${headers?.join(" / ")}`);
      }
    }
    return until(lines);
  });
  return lines;
}

const has = (lines: readonly string[], line: string): boolean => lines.includes(line);

for (const bytes of [minProbeBytes, 84, 85, 1500]) {
  test(`an echo of ${bytes} bytes is answered, and seen four times`, { skip }, async (t) => {
    const both = twoNamespaces(t);
    const ends = { source: address("10.9.0.1"), destination: address("10.9.0.2") };
    await seen(
      both,
      { ...ends, protocol: "icmp", bytes },
      (lines) =>
        has(lines, "a eth0 out request 10.9.0.1>10.9.0.2") &&
        has(lines, "b eth0 in request 10.9.0.1>10.9.0.2") &&
        has(lines, "b eth0 out reply 10.9.0.2>10.9.0.1") &&
        has(lines, "a eth0 in reply 10.9.0.2>10.9.0.1"),
    );
  });
}

test("UDP is refused with an error that quotes it, IPv6 too; TCP arrives", { skip }, async (t) => {
  const both = twoNamespaces(t);
  const v4 = { source: address("10.9.0.1"), destination: address("10.9.0.2") };
  const v6 = { source: address("fd09::1"), destination: address("fd09::2") };
  await seen(both, { ...v4, protocol: "udp", bytes: 120 }, (lines) =>
    has(lines, "a eth0 in error 10.9.0.2>10.9.0.1"),
  );
  await seen(both, { ...v6, protocol: "udp", bytes: 121 }, (lines) =>
    has(lines, "a eth0 in error fd09::2>fd09::1"),
  );
  await seen(both, { ...v6, protocol: "icmp", bytes: 120 }, (lines) =>
    has(lines, "a eth0 in reply fd09::2>fd09::1"),
  );
  await seen(both, { ...v4, protocol: "tcp", bytes: 120 }, (lines) =>
    has(lines, "b eth0 in request 10.9.0.1>10.9.0.2"),
  );
});

test("inside VXLAN it is seen with its outer headers", { skip }, async (t) => {
  const both = twoNamespaces(t);
  const ends = { source: address("10.8.0.1"), destination: address("10.8.0.2") };
  await seen(
    both,
    { ...ends, protocol: "icmp", bytes: 84 },
    (lines) =>
      has(lines, "a vx out request 10.8.0.1>10.8.0.2") &&
      has(lines, "a eth0 out request 10.9.0.1>10.9.0.2 vni 77 / 10.8.0.1>10.8.0.2") &&
      has(lines, "b vx in request 10.8.0.1>10.8.0.2") &&
      has(lines, "a vx in reply 10.8.0.2>10.8.0.1"),
  );
});
