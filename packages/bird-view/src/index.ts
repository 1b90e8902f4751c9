/**
 * BIRD's view of a speaker and its kernel: `show protocols`, `show route` and `show status` as BIRD 1.6 prints them, and the
 * control socket that `birdc`, `birdcl` and calicoctl talk to. Programs fill a `BirdSnapshot`; `buildBirdSnapshot` makes one
 * of what the BGP speaker and the kernel's tables say.
 *
 * Standards: the client protocol and the texts of BIRD 1.6.8. Not here: commands that change anything; they are denied.
 */
export { answerBirdCommand, birdRouteQuery } from "./bird-command.ts";
export { type BirdLine, BirdLineEncoder } from "./bird-reply.ts";
export type { BirdSnapshot } from "./bird-snapshot.ts";
export { BirdSocket, type BirdSocketOptions } from "./bird-socket.ts";
export { type RouteQuery, showTable } from "./show-route.ts";
export { birdTable, type BirdStateInput, buildBirdSnapshot } from "./state/build-bird-snapshot.ts";
export { FirstSeen } from "./state/first-seen.ts";
export type { KernelView } from "./state/kernel-view.ts";
export type { BirdTerms } from "./state/protocols.ts";
