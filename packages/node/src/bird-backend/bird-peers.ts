import type { SessionState } from "@caracal/bgp";
import type { PeerIntent } from "@caracal/intent";

/** A session as BIRD has it. */
export interface BirdPeer {
  readonly intent: PeerIntent;
  readonly state: SessionState;
  /** When the state was first seen: seconds since 1970. */
  readonly sinceS: number;
  /** Why it is down, in BIRD's words; empty when it is not. */
  readonly lastError: string;
  readonly importedRoutes: number;
  readonly exportedRoutes: number;
}

const states: ReadonlyMap<string, SessionState> = new Map(
  (["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"] as const).map((name) => [
    name,
    name,
  ]),
);

/**
 * The sessions that an intent asks for, as the lines of `show protocols all` tell of them now. One that BIRD has not is idle; one
 * whose state is as before is as old as before.
 */
export function birdPeers(
  peers: readonly PeerIntent[],
  lines: readonly string[],
  { before, nowS }: { readonly before: readonly BirdPeer[]; readonly nowS: number },
): readonly BirdPeer[] {
  const told = new Map<string, readonly string[]>();
  let current: string[] = [];
  for (const line of lines) {
    const [, name] = /^(\S+)\s+BGP\s/.exec(line) ?? [];
    if (name !== undefined) told.set(name, (current = [line]));
    else if (/^\S/.test(line)) current = [];
    else current.push(line);
  }
  return peers.map((intent) => {
    const found = readPeer(told.get(intent.name) ?? []);
    const old = before.find((one) => one.intent.name === intent.name);
    return { intent, ...found, sinceS: old?.state === found.state ? old.sinceS : nowS };
  });
}

function readPeer([row = "", ...details]: readonly string[]): Omit<BirdPeer, "intent" | "sinceS"> {
  // name proto table state since info: the info is the session's state and what went wrong last.
  const [, info = ""] = /^(?:\S+\s+){4}\S+(?:\s+(.*))?$/.exec(row) ?? [];
  const [word = "", ...reason] = info.trim().split(/\s+/);
  const [, imported = "0", exported = "0"] =
    /(\d+) imported,.* ?(\d+) exported/.exec(details.find((line) => line.includes("Routes:")) ?? "") ?? [];
  return {
    state: states.get(word) ?? "Idle",
    lastError: reason.join(" "),
    importedRoutes: Number(imported),
    exportedRoutes: Number(exported),
  };
}
