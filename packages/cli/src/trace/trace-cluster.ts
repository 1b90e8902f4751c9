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
import type { IpAddress } from "@caracal/net";
import { askNodes, readTraceState, traceInterestJson, traceStateMethod } from "@caracal/questions";

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
  const involve = (name: PlaceName | undefined): void => {
    if (name !== undefined) involved.set(placeKey(name), name);
  };
  involve(request.from.place);
  involve(request.to.place);
  const hosts = new Set(
    recorded.filter(({ name }) => name.kind === "node").flatMap(({ addresses }) => addresses),
  );
  const about = new Set<IpAddress>([...request.from.addresses, ...request.to.addresses, ...hosts]);
  for (const { name } of recorded) if (name.kind === "switch") involve(name);
  for (let round = 0; ; round += 1) {
    const known = await knowledgeOf(sources, recorded, [...involved.values()], [...about]);
    const world: World = {
      about,
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

async function knowledgeOf(
  sources: TraceSources,
  recorded: readonly Place[],
  places: readonly PlaceName[],
  addresses: readonly IpAddress[],
): Promise<ReadonlyMap<string, Knowledge>> {
  const known = new Map<string, Knowledge>();
  const nodes = [
    ...new Set(places.flatMap(({ kind, name, node }) => (kind === "node" ? [name] : (node ?? [])))),
  ];
  await Promise.all(
    nodes.map(async (node) => {
      const pods = places.flatMap((name) => {
        const hostInterface = recorded.find(
          (place) => placeKey(place.name) === placeKey(name),
        )?.hostInterface;
        return name.node === node && hostInterface !== undefined
          ? [{ name: name.name, interfaceName: hostInterface }]
          : [];
      });
      for (const [key, knowledge] of await askNode(sources.store, node, { addresses, pods }))
        known.set(key, knowledge);
    }),
  );
  await Promise.all(places.map((name) => lookDirectly(sources.lab, recorded, { name, addresses, known })));
  return known;
}

/** One question for each node: they have different pods. */
async function askNode(
  store: Store,
  node: string,
  interest: {
    readonly addresses: readonly IpAddress[];
    readonly pods: readonly { readonly name: string; readonly interfaceName: string }[];
  },
): Promise<ReadonlyMap<string, Knowledge>> {
  const params = traceInterestJson(interest);
  const answers = await askNodes(store, {
    method: traceStateMethod,
    params,
    nodes: [node],
    waitMs: answerWaitMs,
  });
  const answer = answers.get(node);
  const nodeKey = placeKey({ kind: "node", name: node });
  const podKeys = interest.pods.map(({ name }) => placeKey({ kind: "pod", name }));
  const state = answer?.kind === "result" ? readTraceState(answer.result) : undefined;
  if (state === undefined) {
    const unknownBecause =
      answer === undefined
        ? `its daemon did not answer within ${answerWaitMs / 1000} s`
        : answer.kind === "error" && answer.code === "unknown-method"
          ? "its daemon is older than this question"
          : `its daemon answered ${answer.kind === "error" ? answer.message : "what is not understood"}`;
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
    if (knowledge === undefined)
      known.set(key, { unknownBecause: error instanceof Error ? error.message : String(error) });
  }
}
