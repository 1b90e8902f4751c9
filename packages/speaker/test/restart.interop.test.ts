/**
 * Aim: forwarding goes on while either side of a session is killed and comes back (RFC 4724). Method: a host pings over us
 * an address at the peer, a hundred times a second, over routes in the kernel that only BGP brought; first the peer is killed
 * and started again, then we are. Nothing may be lost, and afterwards both believe what they did.
 */
import assert from "node:assert/strict";
import { sampleRoutes, withEveryPeer } from "./bgp-cells.ts";
import { BgpNetwork, type SessionPlan } from "./bgp-network.ts";
import { caracal } from "./caracal-peer.ts";
import { type BgpPeerKind, eventually, type Namespace } from "@caracal/testbed";

const ours = [{ prefix: "192.168.0.0/16" }];
const theirs = sampleRoutes(4, 2);
const target = "10.102.1.1";
const session: SessionPlan = { gracefulRestart: true };

withEveryPeer("either side is killed and comes back, and no packet is lost", {}, async (t, peer) => {
  const network = await BgpNetwork.start(t, {
    us: { kind: caracal, asn: 65001, routes: ours, programsKernel: true, to: { them: session } },
    them: { kind: peer, asn: 65002, routes: theirs, programsKernel: true, to: { us: session } },
  });
  const host = await path(network, peer);
  const settled = async (): Promise<void> => {
    await network.believes(
      "us",
      theirs.map((one) => network.told(one, "them", "us")),
    );
    await network.believes(
      "them",
      ours.map((one) => network.told(one, "us", "them")),
    );
  };
  await settled();
  await eventually(async () => (await host.runAnyway(["ping", "-c1", "-W1", target])).exitCode === 0, {
    what: "a way to the target",
  });
  const ping = await host.start(["ping", "-i", "0.01", target]);

  const { us, them } = { us: network.router("us").peer, them: network.router("them").peer };
  if (peer.lacks["own routes at once after a restart"] === undefined) {
    await them.kill();
    await eventually(async () => !(await us.isUp("them")), { what: "the end of the session" });
    await network.believes(
      "us",
      theirs.map((one) => network.told(one, "them", "us")),
    );
    await them.revive();
    await network.up("us", "them");
    await settled();
  }

  await us.kill();
  await eventually(async () => !(await them.isUp("us")), { what: "the end of the session" });
  await network.believes(
    "them",
    ours.map((one) => network.told(one, "us", "them")),
  );
  await us.revive();
  await network.up("us", "them");
  await settled();

  ping.signal("SIGINT");
  await ping.exited;
  const [, sent, received] = await ping.waitForOutput(/(\d+) packets transmitted, (\d+) received/);
  assert.equal(received, sent);
});

/** A host behind us, and the target at the peer. Gives the host. */
async function path(network: BgpNetwork, peer: BgpPeerKind): Promise<Namespace> {
  const [us, them] = [network.router("us").namespace, network.router("them").namespace];
  const host = await network.bed.namespace("host");
  await network.bed.wire(
    { namespace: host, name: "eth0", addresses: ["192.168.7.2/24"] },
    { namespace: us, name: "host", addresses: ["192.168.7.1/24"] },
  );
  await host.ip("route", "add", "default", "via", "192.168.7.1");
  await us.sysctl("net.ipv4.ip_forward", 1);
  await them.ip("address", "add", `${target}/32`, "dev", "lo");
  // A router that leaves its kernel alone is told the way back by hand.
  if (peer.lacks["kernel routes"] !== undefined)
    await them.ip("route", "add", "192.168.0.0/16", "via", "10.77.0.1");
  return host;
}
