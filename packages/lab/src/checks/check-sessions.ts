import { inParallel } from "../in-parallel.ts";
import type { LabContext } from "../lab-context.ts";
import type { NodeRecord } from "../lab-record.ts";
import { ESTABLISHED, type NodeReport, readNodeReport } from "../node-report.ts";
import type { OpenLab } from "../open-lab.ts";
import { readSwitch } from "../switches/lab-switches.ts";
import type { Finding } from "./finding.ts";
import type { ExpectedSession } from "./lab-checks.ts";

/** A session at one end. */
interface FoundSession {
  readonly peer: string;
  readonly type?: string;
  readonly state: string;
  readonly lastError?: string;
}

/**
 * Sessions of every node and switch. Where the topology says which there must be, there must be exactly those; elsewhere
 * those that are configured must be up, and in a full mesh one with every other node.
 */
export async function checkSessions(open: OpenLab, ctx: LabContext): Promise<readonly Finding[]> {
  const { lab, topology } = open;
  const { sessions: expected } = topology.checks;
  const nodes = lab.nodes();
  const ofNodes = await inParallel(nodes, nodes.length, async (node) => {
    const report = await readNodeReport(lab, node.name);
    if (report === undefined) return [silent(node.name)];
    const found = report.sessions;
    const wanted = expected.get(node.name) ?? meshOf(node, nodes, report, expected.size > 0);
    return compare(node.name, wanted, found, expected.has(node.name));
  });
  const { switches } = topology;
  const ofSwitches = await inParallel(switches, switches.length, async (spec) => {
    const { sessions: found } = await readSwitch(lab, topology, spec, ctx);
    if (found === undefined) return [silent(spec.name)];
    const wanted = expected.get(spec.name);
    return compare(
      spec.name,
      wanted ?? spec.neighbors.map(({ address }) => ({ peer: address })),
      found,
      true,
    );
  });
  return [...ofNodes, ...ofSwitches].flat();
}

/** The mesh, unless the topology declares sessions or the node has others than the mesh's. */
function meshOf(
  node: NodeRecord,
  nodes: readonly NodeRecord[],
  { sessions }: NodeReport,
  isDeclared: boolean,
): readonly ExpectedSession[] {
  const isMesh = sessions.length === 0 || sessions.some((session) => session.isMesh);
  if (isDeclared || !isMesh || !speaksBgp(node)) return [];
  // A session for each family that both speak.
  return nodes
    .filter((other) => other.name !== node.name && speaksBgp(other))
    .flatMap((other) => [
      { peer: other.address },
      ...(node.address6 === undefined || other.address6 === undefined ? [] : [{ peer: other.address6 }]),
    ]);
}

function speaksBgp({ backend }: NodeRecord): boolean {
  return backend === "caracal" || backend === "bird";
}

function compare(
  on: string,
  wanted: readonly ExpectedSession[],
  found: readonly FoundSession[],
  isExact: boolean,
): readonly Finding[] {
  const ofWanted = wanted.map(({ peer, type }): Finding => {
    const session = found.find((one) => one.peer === peer && (type === undefined || one.type === type));
    const other = found.find((one) => one.peer === peer);
    return {
      kind: "session",
      on,
      expected: `${type === undefined ? "a session" : `a ${type} session`} with ${peer}, ${ESTABLISHED}`,
      found: describe(session ?? other),
      ok: session?.state === ESTABLISHED,
    };
  });
  const others = found.filter(({ peer }) => !wanted.some((one) => one.peer === peer));
  const ofOthers = others.map((session): Finding => ({
    kind: "session",
    on,
    expected: isExact
      ? `no session with ${session.peer}`
      : `the session with ${session.peer}, ${ESTABLISHED}`,
    found: describe(session),
    ok: !isExact && session.state === ESTABLISHED,
  }));
  return [...ofWanted, ...ofOthers];
}

function describe(session: FoundSession | undefined): string {
  if (session === undefined) return "none configured";
  const { type, state, lastError = "" } = session;
  return [type, state, lastError].filter((word) => word !== undefined && word !== "").join(", ");
}

function silent(on: string): Finding {
  return { kind: "session", on, expected: "an answer of its daemon", found: "none", ok: false };
}
