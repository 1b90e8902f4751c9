/**
 * Aim: a session that is down is explained from both ends, in words, with what would help. Method: clusters with one fault
 * each, and the statuses that daemons would report.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress } from "@caracal/net";
import type { NodeStatus, PeerStatus } from "@caracal/questions";
import { clusterSessions, sessionVerdict, type SessionVerdict } from "@caracal/insight";
import { anyCluster, type ClusterParts, intentsOf, rowOfNodes } from "./any-cluster.ts";

/** What each daemon says, but for what a test changes. */
type Change = (node: string, peer: PeerStatus) => Partial<PeerStatus>;

interface Report {
  readonly change?: Change;
  readonly silent?: readonly string[];
  readonly refused?: Readonly<Record<string, readonly string[]>>;
  /** Nodes that have no session at all, and what they say of it. */
  readonly notReady?: Readonly<Record<string, string>>;
}

/** The verdict on every session, by its two ends. */
function verdicts(parts: ClusterParts, report: Report = {}): Record<string, SessionVerdict> {
  const { change = () => ({}), silent = [], refused = {}, notReady = {} } = report;
  const cluster = anyCluster(parts);
  const intents = intentsOf(cluster);
  const statuses = new Map<string, NodeStatus>();
  for (const [node, { bgp }] of intents) {
    if (silent.includes(node)) continue;
    const because = notReady[node];
    const wanted = because === undefined ? (bgp?.peers ?? []) : [];
    const peers = wanted.map((intent): PeerStatus => {
      const peer: PeerStatus = {
        name: intent.name,
        address: IpAddress.format(intent.address),
        port: intent.port,
        asNumber: intent.remoteAsNumber,
        localAsNumber: intent.localAsNumber,
        state: "Active",
        sinceS: 1000,
        isPassive: intent.isPassive,
        lastError: "",
        hasPassword: intent.password !== undefined,
        importedRoutes: 0,
        exportedRoutes: 0,
      };
      return { ...peer, ...change(node, peer) };
    });
    statuses.set(node, {
      node,
      isReady: because === undefined,
      ...(because === undefined ? {} : { notReadyBecause: because }),
      bgp: { asNumber: 64512, routerId: "1.1.1.1", peers, origins: [], refused: refused[node] ?? [] },
      kernel: { isInSync: true, wantedRoutes: 0, failures: [], conflicts: [] },
      problems: [],
    });
  }
  return Object.fromEntries(
    clusterSessions(cluster, intents, statuses).map((session) => [
      session.ends.map(({ node, address }) => node ?? address).join("–"),
      sessionVerdict(session),
    ]),
  );
}

const pair: ClusterParts = { nodes: rowOfNodes(2) };
const meshOff = { nodeToNodeMeshEnabled: false };

function both(peer: Record<string, unknown>, more: Partial<ClusterParts> = {}): ClusterParts {
  const peers = { two: { nodeSelector: "all()", peerSelector: "all()", ...peer } };
  return { ...pair, settings: meshOff, peers, ...more };
}

test("a session that both ends call Established is up and needs no words", () => {
  const found = verdicts({ nodes: rowOfNodes(3) }, { change: () => ({ state: "Established", sinceS: 7 }) });
  assert.deepEqual(Object.keys(found), ["n1–n2", "n1–n3", "n2–n3"]);
  assert.deepEqual(found["n1–n2"], { isUp: true, state: "Established", sinceS: 7 });
});

const faults: readonly {
  readonly name: string;
  readonly parts: ClusterParts;
  readonly report?: Report;
  readonly reason: RegExp;
  readonly fix: RegExp;
}[] = [
  {
    name: "a session that only one end has",
    parts: {
      ...pair,
      settings: meshOff,
      peers: { lone: { node: "n1", peerIP: "172.18.0.2", asNumber: 64512, reversePeering: "Manual" } },
    },
    reason: /n2 has no session with n1 \(172.18.0.1\)/,
    fix: /BGPPeer\(lone\).*reversePeering: Auto/,
  },
  {
    name: "an AS that one node has wrong of the other, which then does not peer back",
    parts: {
      ...pair,
      settings: meshOff,
      peers: { wrong: { node: "n1", peerIP: "172.18.0.2", asNumber: 65009 } },
    },
    reason: /AS mismatch: n1 expects AS 65009 of n2, which speaks as AS 64512/,
    fix: /asNumber of BGPPeer\(wrong\) to 64512/,
  },
  {
    name: "two ends with the wrong AS",
    parts: {
      ...pair,
      settings: meshOff,
      peers: {
        a: { node: "n1", peerIP: "172.18.0.2", asNumber: 65009, reversePeering: "Manual" },
        b: { node: "n2", peerIP: "172.18.0.1", asNumber: 64512, reversePeering: "Manual" },
      },
    },
    reason: /AS mismatch: n1 expects AS 65009 of n2, which speaks as AS 64512/,
    fix: /asNumber of BGPPeer\(a\) to 64512/,
  },
  {
    name: "a daemon that does not answer",
    parts: pair,
    report: { silent: ["n2"], change: () => ({ lastError: "Socket: Connection refused" }) },
    reason: /the daemon of n2 does not answer/,
    fix: /start it/,
  },
  {
    name: "a daemon that cannot run what speaks BGP",
    parts: pair,
    report: {
      notReady: { n2: "bird is BIRD 2.0.12, and 1.6 is needed" },
      change: () => ({ lastError: "Socket: Connection refused" }),
    },
    reason: /n2 does not have the session: bird is BIRD 2\.0\.12, and 1\.6 is needed/,
    fix: /on n2/,
  },
  {
    name: "a node that closes a connection of a session that it has itself",
    parts: pair,
    report: { change: () => ({ lastError: "Socket: Connection closed" }) },
    reason: /closed the connection, though it has the session too/,
    fix: /look again in half a minute/,
  },
  {
    name: "a port on which nobody listens",
    parts: pair,
    report: { change: (node) => (node === "n2" ? { lastError: "Socket: Connection refused" } : {}) },
    reason: /refused: nobody listens for BGP on port 179 of n1 \(172.18.0.1\)/,
    fix: /listenPort/,
  },
  {
    name: "packets that are dropped on the way",
    parts: pair,
    report: { change: () => ({ lastError: "Socket: Connection timed out" }) },
    reason: /no answer from n2 \(172.18.0.2\): filtered on the way, or the host is down$/,
    fix: /TCP port 179/,
  },
  {
    name: "a way that does not exist",
    parts: pair,
    report: { change: () => ({ lastError: "Socket: Network is unreachable" }) },
    reason: /no route to the peer: n1 has no route to n2/,
    fix: /reachableBy/,
  },
  {
    name: "a secret that one end cannot read",
    parts: both({ password: { secretKeyRef: { name: "bgp", key: "leaf" } } }),
    report: { change: (node) => ({ hasPassword: node !== "n2" }) },
    reason: /n2 cannot read the password: secret bgp, key leaf/,
    fix: /create the secret/,
  },
  {
    name: "TTL security on one end only",
    parts: {
      ...pair,
      settings: meshOff,
      peers: {
        a: { node: "n1", peerSelector: "all()", ttlSecurity: 1, reversePeering: "Manual" },
        b: { node: "n2", peerSelector: "all()", reversePeering: "Manual" },
      },
    },
    reason: /n1 has TTL security and n2 does not/,
    fix: /on both ends, or on neither/,
  },
  {
    name: "another source address than the peer knows",
    parts: both({ sourceAddress: "None" }),
    report: { refused: { n2: ["192.168.7.7"] } },
    reason: /n1 does not connect from 172.18.0.1: n2 refused 192.168.7.7/,
    fix: /UseNodeIP/,
  },
  {
    name: "an outside router that wants another AS",
    parts: {
      ...pair,
      settings: meshOff,
      peers: { tor: { node: "n1", peerIP: "172.18.0.254", asNumber: 65001 } },
    },
    report: { change: () => ({ lastError: "Received: Bad peer AS" }) },
    reason: /172.18.0.254 expects another AS than 64512/,
    fix: /configure AS 64512 there/,
  },
  {
    name: "an error nobody foresaw is passed on",
    parts: pair,
    report: { change: () => ({ lastError: "Received: Out of Resources" }) },
    reason: /n1 says: Received: Out of Resources/,
    fix: /look at the log/,
  },
];

for (const { name, parts, report, reason, fix } of faults) {
  test(name, () => {
    const [verdict] = Object.values(verdicts(parts, report));
    assert.ok(verdict !== undefined && !verdict.isUp);
    assert.match(verdict.reason ?? "", reason);
    assert.match(verdict.fix ?? "", fix);
  });
}
