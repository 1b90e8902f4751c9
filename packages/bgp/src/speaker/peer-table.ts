import { type IpAddress } from "@caracal/net";
import { type PeerIndex } from "../rib/route-rows.ts";
import { type PeerConfig } from "./peer-config.ts";
import { type Peer } from "./peer.ts";

/** The peers of a speaker: by number, as tables know them, and by name in the order in which they were configured. */
export class PeerTable {
  /** 0 is the speaker itself. */
  readonly #byIndex: (Peer | undefined)[] = [undefined];
  readonly #byName = new Map<string, Peer>();
  /** Names that sessions began with under which their peers are not known any more. */
  readonly #renamed = new Map<PeerIndex, string>();

  get byName(): ReadonlyMap<string, Peer> {
    return this.#byName;
  }

  values(): MapIterator<Peer> {
    return this.#byName.values();
  }

  at(index: PeerIndex): Peer | undefined {
    return this.#byIndex[index];
  }

  get(name: string): Peer | undefined {
    return this.#byName.get(name);
  }

  withAddress(address: IpAddress): Peer | undefined {
    for (const peer of this.#byName.values()) if (peer.config.address === address) return peer;
    return undefined;
  }

  /** One more, under a number that is free; its session's name is no other's. */
  add(name: string, create: (index: PeerIndex, sessionName: string) => Peer): Peer {
    const free = this.#byIndex.indexOf(undefined, 1);
    const index = free < 0 ? this.#byIndex.length : free;
    const isTaken = [...this.#renamed.values()].includes(name);
    const peer = create(index, isTaken ? `${name}~${index}` : name);
    this.#byIndex[index] = peer;
    this.#byName.set(name, peer);
    return peer;
  }

  remove(peer: Peer): void {
    this.#byIndex[peer.index] = undefined;
    this.#renamed.delete(peer.index);
    this.#byName.delete(peer.config.name);
  }

  /** From now on it is known by another name; its session keeps its own. */
  rename(peer: Peer, name: string): void {
    this.#byName.delete(peer.config.name);
    this.#byName.set(name, peer);
    this.#renamed.set(peer.index, peer.session.name);
  }

  /** Show commands list them in this order. */
  order(configs: Iterable<PeerConfig>): void {
    for (const { name } of configs) {
      const peer = this.#byName.get(name);
      if (peer === undefined) continue;
      this.#byName.delete(name);
      this.#byName.set(name, peer);
    }
  }
}
