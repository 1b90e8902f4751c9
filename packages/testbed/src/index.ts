/**
 * A test bed: network namespaces, wires, programs and daemons for tests, all gone when the test ends.
 *
 * A bed is removed when its test is over, when the process exits or is interrupted, and — after a `kill -9` —
 * by the next bed made on the machine. Nothing is ever created in the machine's own network namespace.
 * Beside it a store in memory that is stepped one operation at a time, and the exploration of all orders of them.
 * For tests only: no product code imports it.
 */
export {
  type BgpAbility,
  type BgpBelief,
  type BgpNeighborSettings,
  type BgpPeer,
  type BgpPeerKind,
  type BgpRefusals,
  type BgpRouterSettings,
  type BgpSample,
  familyOf,
} from "./bgp-peers/bgp-peer.ts";
export { present } from "./bgp-peers/bird-beliefs.ts";
export { communityNumbers } from "./bgp-peers/community-text.ts";
export { bird1, bird2 } from "./bgp-peers/bird-peer.ts";
export { frr } from "./bgp-peers/frr-peer.ts";
export { gobgp } from "./bgp-peers/gobgp-peer.ts";
export { Dice } from "./dice.ts";
export { type Explorable, type Exploration, explore } from "./explore.ts";
export { eventually, type EventuallyOptions } from "./eventually.ts";
export { freePorts } from "./free-ports.ts";
export { FuzzFinding, fuzzSeed, type FuzzTarget, fuzzTests, runFuzzRound } from "./fuzz.ts";
export { figuresText, inParallel, medians, rateOf, timed } from "./measure.ts";
export { mutateBytes, mutateText } from "./mutate.ts";
export { type Address, type LinkEnd, Namespace } from "./namespace.ts";
export { Program, type ProgramExit, type StartOptions } from "./program.ts";
export { findTool, requireMachine, requireRoot, requireTool } from "./requirement.ts";
export { type CommandResult, run, type RunOptions, runAnyway } from "./run.ts";
export {
  birdPrograms,
  requireBird1,
  startBird,
  type BirdDaemon,
  type BirdEdition,
  type BirdOptions,
} from "./start-bird.ts";
export { startEtcd, type EtcdDaemon, type EtcdOptions } from "./start-etcd.ts";
export {
  type KubeApiserver,
  type KubeApiserverOptions,
  requireKubeApiserver,
  startKubeApiserver,
} from "./start-kube-apiserver.ts";
export { frrBgpd, startFrrBgpd, type FrrBgpdDaemon, type FrrBgpdOptions } from "./start-frr-bgpd.ts";
export { startGobgpd, type GobgpDaemon, type GobgpOptions } from "./start-gobgpd.ts";
export { type PendingStep, type ReadMoment, SteppedWorld, type StoreManner } from "./stepped-world.ts";
export { Testbed, type TestScope } from "./testbed.ts";
