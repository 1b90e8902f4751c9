import type { ClusterSession, SessionEnd } from "./cluster-session.ts";

/** How a session stands, and where it does not, why not and what would help. */
export interface SessionVerdict {
  readonly isUp: boolean;
  /** RFC 4271's state of the end that is further behind, or "unknown" where no daemon says. */
  readonly state: string;
  /** When it was entered: seconds since 1970. */
  readonly sinceS?: number;
  readonly reason?: string;
  readonly fix?: string;
}

interface Finding {
  readonly reason: string;
  readonly fix: string;
}

/** A question about one end, with the other at hand; the first that finds something explains the session. */
type Check = (end: SessionEnd, other: SessionEnd) => Finding | undefined;

const order = ["Idle", "Active", "Connect", "OpenSent", "OpenConfirm", "Established"];

export function sessionVerdict({ ends }: ClusterSession): SessionVerdict {
  const statuses = ends.flatMap(({ status }) => status ?? []);
  const [hindmost] = statuses.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const isUp = statuses.length > 0 && statuses.every(({ state }) => state === "Established");
  const base = {
    isUp,
    state: hindmost?.state ?? "unknown",
    ...(hindmost === undefined ? {} : { sinceS: hindmost.sinceS }),
  };
  if (isUp) return base;
  const [near, far] = ends;
  for (const check of checks) {
    const finding = check(near, far) ?? check(far, near);
    if (finding !== undefined) return { ...base, ...finding };
  }
  return { ...base, reason: "it is being set up", fix: "look again in a few seconds" };
}

/** What the resources alone show comes first: it is certain. */
const checks: readonly Check[] = [
  // A node does not peer back with one that has its AS wrong, so this comes before.
  asNumbers,
  notAsked,
  bothWait,
  missingSecret,
  oneSigns,
  oneGuardsTtl,
  silentDaemon,
  wrongSource,
  notTakenOver,
  lastError,
];

function notAsked(end: SessionEnd, other: SessionEnd): Finding | undefined {
  if (other.node === undefined || end.intent === undefined || other.intent !== undefined) return undefined;
  const { bgpPeer } = end.intent;
  return {
    reason: `${other.node} has no session with ${end.node} (${end.address})`,
    fix:
      bgpPeer === undefined
        ? `take ${end.node} and ${other.node} into the same mesh, or peer them by a BGPPeer`
        : `let BGPPeer(${bgpPeer}) reverse itself (reversePeering: Auto), or add a BGPPeer for ${other.node}`,
  };
}

function asNumbers(end: SessionEnd, other: SessionEnd): Finding | undefined {
  if (end.intent === undefined || other.node === undefined) return undefined;
  const { remoteAsNumber: expected, bgpPeer } = end.intent;
  const { asNumber: actual } = other;
  if (actual === undefined || expected === actual) return undefined;
  return {
    reason: `AS mismatch: ${end.node} expects AS ${expected} of ${other.node}, which speaks as AS ${actual}`,
    fix:
      bgpPeer === undefined
        ? `give Node(${other.node}) the AS that ${end.node} expects`
        : `set asNumber of BGPPeer(${bgpPeer}) to ${actual}, or spec.bgp.asNumber of Node(${other.node}) to ${expected}`,
  };
}

function bothWait({ intent, node }: SessionEnd, other: SessionEnd): Finding | undefined {
  if (intent?.isPassive !== true || other.intent?.isPassive !== true) return undefined;
  return {
    reason: `${node} and ${other.node} both wait for the other to connect`,
    fix: "make one of them active",
  };
}

function missingSecret({ intent, status, node }: SessionEnd): Finding | undefined {
  const secret = intent?.password;
  if (secret === undefined || status === undefined || status.hasPassword) return undefined;
  return {
    reason: `${node} cannot read the password: secret ${secret.name}, key ${secret.key}`,
    fix: `create the secret where ${node} looks for it`,
  };
}

function oneSigns(end: SessionEnd, other: SessionEnd): Finding | undefined {
  if (end.intent === undefined || other.intent === undefined) return undefined;
  const ours = end.intent.password;
  const theirs = other.intent.password;
  if (ours === undefined) return undefined;
  if (theirs !== undefined && theirs.name === ours.name && theirs.key === ours.key) return undefined;
  return {
    reason:
      theirs === undefined
        ? `${end.node} uses a password and ${other.node} does not`
        : `${end.node} takes its password from ${ours.name}/${ours.key}, ${other.node} from ${theirs.name}/${theirs.key}`,
    fix: "let both ends name the same secret",
  };
}

function oneGuardsTtl(end: SessionEnd, other: SessionEnd): Finding | undefined {
  if (end.intent?.ttlSecurityHops === undefined || other.intent === undefined) return undefined;
  if (other.intent.ttlSecurityHops !== undefined) return undefined;
  return {
    reason: `${end.node} has TTL security and ${other.node} does not, so its packets are dropped`,
    fix: "set ttlSecurity on both ends, or on neither",
  };
}

function silentDaemon({ node, isAnswering }: SessionEnd): Finding | undefined {
  if (node === undefined || isAnswering) return undefined;
  return {
    reason: `the daemon of ${node} does not answer`,
    fix: `start it, or look at its log, on ${node}`,
  };
}

function wrongSource(end: SessionEnd, other: SessionEnd): Finding | undefined {
  const [stranger] = other.refused.toReversed();
  if (stranger === undefined || end.intent === undefined || end.intent.sourceAddress !== undefined) {
    return undefined;
  }
  return {
    reason: `${end.node} does not connect from ${end.address}: ${other.node} refused ${stranger}, which is none of its peers`,
    fix: "set sourceAddress: UseNodeIP, or peer with the address that is used",
  };
}

function notTakenOver({ node, intent, status, isAnswering, complaint }: SessionEnd): Finding | undefined {
  if (node === undefined || !isAnswering || intent === undefined || status !== undefined) return undefined;
  if (complaint !== undefined) {
    return { reason: `${node} does not have the session: ${complaint}`, fix: `mend that on ${node}` };
  }
  return {
    reason: `${node} does not have the session yet`,
    fix: `look at the problems and the log of ${node}: its speaker has not taken the resources over`,
  };
}

function lastError(end: SessionEnd, other: SessionEnd): Finding | undefined {
  const text = end.status?.lastError ?? "";
  if (text === "" || end.status === undefined) return undefined;
  const peer = other.node === undefined ? other.address : `${other.node} (${other.address})`;
  const known = knownErrors.find(({ pattern }) => pattern.test(text));
  const { port, asNumber, localAsNumber } = end.status;
  const facts = {
    node: end.node ?? "",
    peer,
    port,
    asNumber,
    localAsNumber,
    isSigned: end.status.hasPassword,
    isExpected: other.intent !== undefined,
  };
  return known?.explain(facts) ?? { reason: `${end.node} says: ${text}`, fix: `look at the log of ${peer}` };
}

interface ErrorFacts {
  readonly node: string;
  readonly peer: string;
  readonly port: number;
  readonly asNumber: number;
  readonly localAsNumber: number;
  readonly isSigned: boolean;
  /** The other end is a node that has the session too. */
  readonly isExpected: boolean;
}

const knownErrors: readonly {
  readonly pattern: RegExp;
  readonly explain: (facts: ErrorFacts) => Finding;
}[] = [
  {
    pattern: /refused/i,
    explain: ({ peer, port }) => ({
      reason: `refused: nobody listens for BGP on port ${port} of ${peer}`,
      fix: "start the BGP speaker there, or correct the port (listenPort)",
    }),
  },
  {
    pattern: /no route to host/i,
    explain: ({ node, peer }) => ({
      reason: `no route to the peer: nobody answers for ${peer}, as ${node} sees it`,
      fix: "check that the host is up and its address right; on another subnet, name a gateway with reachableBy",
    }),
  },
  {
    pattern: /unreachable/i,
    explain: ({ node, peer }) => ({
      reason: `no route to the peer: ${node} has no route to ${peer}`,
      fix: "add one, or name a gateway with reachableBy",
    }),
  },
  {
    pattern: /timed out|no answer/i,
    explain: ({ peer, port, isSigned }) => ({
      reason: `no answer from ${peer}: filtered on the way, or the host is down${
        isSigned ? ", or the passwords differ (packets signed otherwise are dropped)" : ""
      }`,
      fix: `let TCP port ${port} through in both directions${isSigned ? ", and compare the passwords" : ""}`,
    }),
  },
  {
    pattern: /received: bad peer as/i,
    explain: ({ peer, localAsNumber }) => ({
      reason: `AS mismatch: ${peer} expects another AS than ${localAsNumber}, which we speak as`,
      fix: `configure AS ${localAsNumber} there, or another local AS here`,
    }),
  },
  {
    pattern: /bad peer as/i,
    explain: ({ peer, asNumber }) => ({
      reason: `AS mismatch: we expect AS ${asNumber} of ${peer}, which says another`,
      fix: "correct the asNumber of the BGPPeer",
    }),
  },
  {
    pattern: /hold timer/i,
    explain: ({ peer }) => ({
      reason: `${peer} went silent: the hold timer expired`,
      fix: "look at the way between the two, its MTU and its losses",
    }),
  },
  {
    pattern: /connection closed|reset/i,
    explain: ({ node, peer, isExpected }) =>
      isExpected
        ? {
            reason: `${peer} closed the connection, though it has the session too: the two may still be settling whose connection stays`,
            fix: `look again in half a minute; then at the log of ${peer}`,
          }
        : {
            reason: `${peer} closes the connection: it may not know ${node} as a peer, or not by this address`,
            fix: `configure ${node} as a neighbor there`,
          },
  },
];
