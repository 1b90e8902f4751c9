import type { NetworkState } from "@caracal/forwarding";
import {
  type Place,
  type PlaceName,
  placeKey,
  placeText,
  traceReport,
  type TraceReport,
  type TraceRequest,
  type World,
} from "@caracal/insight";
import type { Store } from "@caracal/datastore";
import type { LabView } from "@caracal/lab";
import { type IpAddress, messageOf } from "@caracal/net";
import {
  type Answer,
  askNodes,
  readTraceState,
  type TraceInterest,
  traceInterestJson,
  traceStateMethod,
} from "@caracal/questions";

/** How often more may turn out to be needed: another node on the way, another address behind a translation. */
const maxRounds = 8;
/** Waiting for daemons at most. */
const answerWaitMs = 3_000;

/** Where states come from. */
export interface TraceSources {
  readonly store: Store;
  /** Switches, and nodes whose daemons do not answer, are looked into directly where this machine has them. */
  readonly lab: LabView | undefined;
}

/** What came of a trace, and of asking for it. */
export interface TracedCluster {
  readonly report: TraceReport;
  readonly world: World;
  /** Places that could not be asked, and why. */
  readonly unknown: readonly string[];
}

/** What is known of one place. */
type Knowledge =
  | { readonly state: NetworkState; readonly remark?: string }
  | { readonly unknownBecause: string };

/** Asks those on the way for their kernels' states, until the walk needs no more of them. */
export async function traceCluster(
  sources: TraceSources,
  recorded: readonly Place[],
  request: TraceRequest,
): Promise<TracedCluster | undefined> {
  const involved = new Map<string, PlaceName>();
  const about = new Set<IpAddress>([...request.from.addresses, ...request.to.addresses]);
  const involve = (name: PlaceName): void => {
    involved.set(placeKey(name), name);
    // What goes by way of a node may be wrapped for it, and its answers go to it.
    const node = name.node ?? name.name;
    const host = recorded.find((place) => place.name.kind !== "pod" && place.name.name === node);
    for (const address of host?.addresses ?? []) about.add(address);
  };
  for (const place of [request.from.place, request.to.place]) if (place !== undefined) involve(place);
  for (const { name } of recorded) if (name.kind === "switch") involve(name);
  const silent = new Set<string>();
  for (let round = 0; ; round += 1) {
    const known = await knowledgeOf(sources, recorded, {
      places: [...involved.values()],
      addresses: [...about],
      silent,
    });
    const world: World = {
      about: new Set(about),
      places: recorded.map((place) => withKnowledge(place, known.get(placeKey(place.name)))),
    };
    const report = traceReport(world, request);
    if (report === undefined) return undefined;
    const size = involved.size + about.size;
    for (const name of report.wants.places) involve(name);
    for (const address of report.wants.addresses) about.add(address);
    if (size === involved.size + about.size || round + 1 >= maxRounds) {
      return { report, world, unknown: remarksOf(known, involved) };
    }
  }
}

function withKnowledge(place: Place, knowledge: Knowledge | undefined): Place {
  if (knowledge === undefined) return place;
  return "state" in knowledge ? { ...place, state: knowledge.state } : { ...place, ...knowledge };
}

function remarksOf(
  known: ReadonlyMap<string, Knowledge>,
  involved: ReadonlyMap<string, PlaceName>,
): readonly string[] {
  return [...known].flatMap(([key, knowledge]) => {
    const name = involved.get(key);
    const remark = "state" in knowledge ? knowledge.remark : knowledge.unknownBecause;
    return name === undefined || remark === undefined ? [] : [`${placeText(name)}: ${remark}`];
  });
}

/** Who is asked, and about what. */
interface Asked {
  readonly places: readonly PlaceName[];
  readonly addresses: readonly IpAddress[];
  /** Nodes that have not answered before, and are not waited for again. */
  readonly silent: Set<string>;
}

async function knowledgeOf(
  sources: TraceSources,
  recorded: readonly Place[],
  { places, addresses, silent }: Asked,
): Promise<ReadonlyMap<string, Knowledge>> {
  const known = new Map<string, Knowledge>();
  const nodes = new Set(places.flatMap(({ kind, name, node }) => (kind === "node" ? [name] : (node ?? []))));
  await Promise.all(
    [...nodes].map(async (node) => {
      const pods = places.flatMap((name) => {
        const key = placeKey(name);
        const hostInterface = recorded.find((place) => placeKey(place.name) === key)?.hostInterface;
        return name.node === node && hostInterface !== undefined
          ? [{ name: name.name, interfaceName: hostInterface }]
          : [];
      });
      const interest = { addresses, pods };
      for (const [key, knowledge] of await askNode(sources.store, { node, interest, silent }))
        known.set(key, knowledge);
    }),
  );
  await Promise.all(places.map((name) => lookDirectly(sources.lab, recorded, { name, addresses, known })));
  return known;
}

/** One question for each node: they have different pods. */
async function askNode(
  store: Store,
  {
    node,
    interest,
    silent,
  }: { readonly node: string; readonly interest: TraceInterest; readonly silent: Set<string> },
): Promise<ReadonlyMap<string, Knowledge>> {
  const params = traceInterestJson(interest);
  const question = { method: traceStateMethod, params, nodes: [node], waitMs: answerWaitMs };
  const answer = silent.has(node) ? undefined : (await askNodes(store, question)).get(node);
  if (answer === undefined) silent.add(node);
  const nodeKey = placeKey({ kind: "node", name: node });
  const podKeys = interest.pods.map(({ name }) => placeKey({ kind: "pod", name }));
  const state = answer?.kind === "result" ? readTraceState(answer.result) : undefined;
  if (state === undefined) {
    const unknownBecause = whyUnknown(answer);
    return new Map([nodeKey, ...podKeys].map((key) => [key, { unknownBecause }]));
  }
  return new Map<string, Knowledge>([
    [nodeKey, { state: state.state }],
    ...state.pods.map((pod): [string, Knowledge] => [
      placeKey({ kind: "pod", name: pod.name }),
      pod.state === undefined
        ? { unknownBecause: pod.unknownBecause ?? "it was not told" }
        : { state: pod.state },
    ]),
  ]);
}

function whyUnknown(answer: Answer | undefined): string {
  if (answer === undefined) return `its daemon did not answer within ${answerWaitMs / 1000} s`;
  if (answer.kind === "result") return "its daemon answered what is not understood";
  return answer.code === "unknown-method"
    ? "its daemon is older than this question"
    : `its daemon answered: ${answer.message}`;
}

async function lookDirectly(
  lab: LabView | undefined,
  recorded: readonly Place[],
  {
    name,
    addresses,
    known,
  }: {
    readonly name: PlaceName;
    readonly addresses: readonly IpAddress[];
    readonly known: Map<string, Knowledge>;
  },
): Promise<void> {
  const key = placeKey(name);
  const knowledge = known.get(key);
  if (lab === undefined || (knowledge !== undefined && "state" in knowledge)) return;
  const interfaces = recorded.flatMap((place) =>
    place.name.node === name.name && place.hostInterface !== undefined ? [place.hostInterface] : [],
  );
  try {
    const state = await lab.observe(name, { addresses, interfaces });
    const remark =
      knowledge === undefined
        ? undefined
        : `${knowledge.unknownBecause}; the lab's namespace was looked into instead`;
    known.set(key, { state, ...(remark === undefined ? {} : { remark }) });
  } catch (error) {
    if (knowledge === undefined) known.set(key, { unknownBecause: messageOf(error) });
  }
}
