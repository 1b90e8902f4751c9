import { compareText, type IntentProblem } from "./intent-problem.ts";
import type { PeerIntent, SecretKey } from "./peer-intent.ts";

/** Sessions that go without the password they should have; as with Calico, they are tried all the same. */
export function secretProblems(
  peers: readonly PeerIntent[],
  hasSecret: ((secret: SecretKey) => boolean) | undefined,
): readonly IntentProblem[] {
  if (hasSecret === undefined) return [];
  const missing = new Map<string, IntentProblem>();
  for (const { bgpPeer, password } of peers) {
    if (password === undefined) continue;
    const about = bgpPeer === undefined ? "BGPConfiguration(default)" : `BGPPeer(${bgpPeer})`;
    const name = `${about} ${password.name}/${password.key}`;
    if (missing.has(name) || hasSecret(password)) continue;
    const message = `takes its password from the key ${password.key} of the secret ${password.name}, which is not there: its sessions have no password`;
    missing.set(name, { about, message });
  }
  return [...missing].toSorted(([a], [b]) => compareText(a, b)).map(([, one]) => one);
}
