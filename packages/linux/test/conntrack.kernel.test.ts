/**
 * Tracked connections are forgotten by an address of theirs. Method: a namespace of the test's own that tracks what its loopback
 * carries, translated and plain, both families; the kernel's own list of connections is the witness.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { IpAddress } from "@caracal/net";
import { Conntrack, namespacePath, withNamespace } from "../src/index.ts";
import { freshNamespace, kernelSkip, run } from "./fresh-namespace.ts";

const skip =
  kernelSkip(["ip", "nft", "bash"]) || (hasList() ? false : "the kernel lists no connections in /proc");

function hasList(): boolean {
  try {
    readFileSync("/proc/net/nf_conntrack");
    return true;
  } catch {
    return false;
  }
}

const rules = `add table inet t
add chain inet t o { type filter hook output priority 0; }
add rule inet t o ct state new accept
add table ip n
add chain ip n o { type nat hook output priority -100; }
add rule ip n o ip daddr 192.0.2.1 dnat to 127.0.0.5
`;

for (const forgetsByFilter of [true, false]) {
  const how = forgetsByFilter ? "by a filter" : "one by one";
  test(`connections are forgotten ${how}, and others stay`, { skip }, (t) => {
    const namespace = freshNamespace(t);
    run(namespace, "ip", "link", "set", "lo", "up");
    run(namespace, "ip", "-6", "address", "add", "fd00::5/128", "dev", "lo", "nodad");
    run(namespace, "ip", "route", "add", "192.0.2.0/24", "dev", "lo");
    run(namespace, "nft", rules);
    const send = (to: string): void => void run(namespace, "bash", "-c", `echo x >/dev/udp/${to}/99`);
    for (const to of ["127.0.0.5", "192.0.2.1", "127.0.0.6", "fd00::5", "::1"]) send(to);
    /** Where the connections were opened to. */
    const list = (): readonly string[] => {
      const text = withNamespace(namespacePath(namespace), () =>
        readFileSync("/proc/thread-self/net/nf_conntrack", "utf8"),
      );
      const lines = text.split("\n").filter((line) => line.includes(" udp "));
      return lines.flatMap((line) => /dst=(\S+)/.exec(line)?.[1] ?? []).toSorted((a, b) => (a < b ? -1 : 1));
    };
    const [one, five] = [
      "0000:0000:0000:0000:0000:0000:0000:0001",
      "fd00:0000:0000:0000:0000:0000:0000:0005",
    ];
    assert.deepEqual(list(), [one, "127.0.0.5", "127.0.0.6", "192.0.2.1", five]);
    using conntrack = new Conntrack({ namespace: namespacePath(namespace), forgetsByFilter });
    const forget = (text: string): void => conntrack.forget(IpAddress.parse(text) ?? assert.fail(text));
    forget("127.0.0.5");
    assert.deepEqual(list(), [one, "127.0.0.6", five], "what was translated to it, too");
    forget("fd00::5");
    assert.deepEqual(list(), [one, "127.0.0.6"]);
    forget("203.0.113.9");
    assert.deepEqual(list(), [one, "127.0.0.6"]);
    forget("127.0.0.1");
    assert.deepEqual(list(), [one], "who opened a connection counts as who answers it");
  });
}
