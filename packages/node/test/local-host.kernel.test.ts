/**
 * Aim: a host that takes its IPv6 default route from router advertisements keeps it when it begins to forward for pods.
 * Method: a router that is a namespace sends one advertisement; the host's namespace is then made to forward by the daemon's own
 * code in a process there.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, Testbed } from "@caracal/testbed";

const localHost = fileURLToPath(new URL("../src/startup/local-host.ts", import.meta.url));

/** An advertisement (RFC 4861 §4.2) with a router lifetime of half an hour, to all nodes of the link. */
const advertise = `
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex("eth0")
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))
`;

test(
  "an advertised default route outlives the beginning of forwarding",
  {
    skip: requireRoot() || requireTool("ip", "python3"),
  },
  async (t) => {
    const bed = Testbed.create(t);
    const [host, router] = [await bed.namespace("host"), await bed.namespace("router")];
    await bed.network("net", [
      { namespace: host, name: "eth0", addresses: ["fd77::1/64"] },
      { namespace: router, name: "eth0", addresses: ["fd77::2/64"] },
    ]);
    const defaultRoute = async (): Promise<string> =>
      (await host.run(["ip", "-6", "route", "show", "default"])).stdout;
    await host.run(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=0", "net.ipv6.conf.eth0.accept_ra=1"]);
    await eventually(async () => {
      await router.runAnyway(["python3", "-c", advertise]);
      return (await defaultRoute()).includes("proto ra");
    });
    const code = `import { LocalHost } from ${JSON.stringify(localHost)}; console.log(JSON.stringify(new LocalHost().enableForwarding()));`;
    const enable = [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      "--input-type=module",
      "-e",
      code,
    ];
    assert.equal((await host.run(enable)).stdout.trim(), '["eth0"]');
    assert.match(await defaultRoute(), /proto ra/);
    assert.equal((await host.run(["sysctl", "-n", "net.ipv6.conf.all.forwarding"])).stdout.trim(), "1");
    assert.equal((await host.run(enable)).stdout.trim(), "[]", "there is nothing to do a second time");
  },
);
