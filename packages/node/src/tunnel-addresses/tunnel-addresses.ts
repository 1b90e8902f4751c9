import type { ResourceClient } from "@caracal/datastore";
import { type AddressState, type Ipam, tunnelHandle } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import type { IpPool, Node } from "@caracal/resources";
import type { Log } from "../observe/log.ts";
import { type TunnelKind, tunnelKinds, type TunnelPools, tunnelPools } from "./tunnel-kind.ts";

export interface TunnelAddressesOptions {
  readonly node: string;
  readonly client: ResourceClient;
  readonly ipam: Ipam;
  readonly log: Log;
  /** Blocks that are the node's since an address was taken from them; done when others can be sent to it. */
  readonly onBlocksClaimed: (blocks: readonly Prefix[]) => Promise<void>;
  /** WireGuard between nodes themselves: then its interface needs no address of its own. */
  readonly encryptsHosts?: boolean;
  /** How long an address that no pool asks for any more stays, as others may still send to it; not at all if absent. */
  readonly lingerMs?: number;
  /** Milliseconds; the machine's own clock if absent. */
  readonly now?: () => number;
}

/** Others write the Node too: each write is tried this often. */
const maxAttempts = 10;

/**
 * The addresses of a node's tunnel devices (facts: IPAM §6): one of IPAM for each kind of encapsulation that a pool of this
 * node uses, named in the Node. One that is still ours and still in such a pool stays; any other is replaced, and the old
 * one is given back only once the Node names the new one, so that nobody gets an address that others send tunnel traffic to.
 */
export class TunnelAddresses {
  readonly #options: TunnelAddressesOptions;
  /** What was last said of each kind, so that it is said once. */
  readonly #said = new Map<TunnelKind, string>();
  /** Since when no pool asks for an address that is there. */
  readonly #uselessSince = new Map<TunnelKind, number>();

  constructor(options: TunnelAddressesOptions) {
    this.#options = options;
  }

  /** Looks at the datastore once and puts right what differs; not to be called again before it is done. */
  async ensure(): Promise<void> {
    const { client, node } = this.#options;
    const found = await client.get("Node", node);
    if (found.kind === "failed") return;
    const pools = (await client.list("IPPool")).items;
    for (const kind of tunnelKinds) await this.#ensureKind(kind, found.resource, pools);
  }

  async #ensureKind(kind: TunnelKind, node: Node, pools: readonly IpPool[]): Promise<void> {
    const { ipam } = this.#options;
    const handle = tunnelHandle(kind.tunnel, this.#options.node);
    const isNeeded = kind.isUsedBy === undefined || this.#options.encryptsHosts !== true;
    const fitting = tunnelPools(kind, node, isNeeded ? pools : []);
    const named = namedAddress(kind, node);
    const held = await this.#held(kind, handle, named);
    if (fitting.keeping.length === 0) {
      this.#said.delete(kind);
      if ((named !== undefined || held.length > 0) && this.#lingers(kind)) return;
      await this.#name(kind, undefined);
      if (held.length > 0) await ipam.releaseHandle(handle);
      this.#uselessSince.delete(kind);
      return;
    }
    this.#uselessSince.delete(kind);
    const kept = held.filter((address) => fitting.keeping.some((cidr) => Prefix.contains(cidr, address)));
    const chosen =
      kept.find((address) => address === named) ??
      kept[0] ??
      (await this.#take(kind, handle, named, fitting));
    await this.#name(kind, chosen);
    for (const address of held) {
      if (address !== chosen) await ipam.release({ address, handle });
    }
  }

  #lingers(kind: TunnelKind): boolean {
    const { lingerMs = 0, now = Date.now } = this.#options;
    const since = this.#uselessSince.get(kind) ?? now();
    this.#uselessSince.set(kind, since);
    return now() - since < lingerMs;
  }

  /** What IPAM has for the tunnel, the Node's address among it even when the handle's own record is lost. */
  async #held(kind: TunnelKind, handle: string, named: IpAddress | undefined): Promise<readonly IpAddress[]> {
    const { ipam, node } = this.#options;
    const held = await ipam.addressesOf(handle);
    if (named === undefined || held.includes(named)) return held;
    const state = await ipam.lookup(named);
    const isOurs =
      state.kind === "allocated" &&
      state.handle === handle &&
      state.attributes["type"] === kind.type &&
      state.attributes["node"] === node;
    return isOurs ? [...held, named] : held;
  }

  /** The Node's address again if nobody has it, else another. */
  async #take(
    kind: TunnelKind,
    handle: string,
    named: IpAddress | undefined,
    pools: TunnelPools,
  ): Promise<IpAddress | undefined> {
    const { ipam, node, log, onBlocksClaimed } = this.#options;
    const attributes = { node, type: kind.type };
    const text = named === undefined ? undefined : IpAddress.format(named);
    if (named !== undefined) {
      const again = pools.keeping.some((cidr) => Prefix.contains(cidr, named))
        ? await ipam.assignAddress({ address: named, handle, attributes, use: "Tunnel" })
        : undefined;
      if (again?.kind === "assigned") {
        if (again.claimed !== undefined) await onBlocksClaimed([again.claimed]);
        return named;
      }
      const fields = { tunnel: kind.name, address: text, because: whyNot(await ipam.lookup(named), again) };
      log.warn(fields, "the tunnel's address cannot be kept; taking another");
    }
    const { family } = kind;
    const result =
      pools.giving.length === 0
        ? undefined
        : await ipam.assign({ family, handle, attributes, use: "Tunnel", pools: pools.giving });
    if (result?.kind !== "assigned") {
      const reason = result?.message ?? "the pools for it are disabled";
      if (this.#said.get(kind) !== reason)
        log.error({ tunnel: kind.name, reason }, "no address for the tunnel device can be had");
      this.#said.set(kind, reason);
      return undefined;
    }
    this.#said.delete(kind);
    if (result.claimed.length > 0) await onBlocksClaimed(result.claimed);
    return result.addresses[0];
  }

  /** Writes the address into the Node; what others write there meanwhile stays. */
  async #name(kind: TunnelKind, address: IpAddress | undefined): Promise<void> {
    const { client, node, log } = this.#options;
    const text = address === undefined ? undefined : IpAddress.format(address);
    for (let attempt = 1; ; attempt += 1) {
      const found = await client.get("Node", node);
      if (found.kind === "failed") return;
      const { resource } = found;
      if (kind.read(resource.spec) === text) return;
      const outcome = await client.update({ ...resource, spec: kind.write(resource.spec, text) });
      if (outcome.kind === "ok") {
        log.info({ tunnel: kind.name, address: text ?? "none" }, "tunnel address of the node");
        return;
      }
      if (outcome.reason !== "conflict" || attempt >= maxAttempts) throw new Error(outcome.message);
    }
  }
}

function namedAddress(kind: TunnelKind, { spec }: Node): IpAddress | undefined {
  const text = kind.read(spec);
  return text === undefined ? undefined : IpAddress.parse(text);
}

function whyNot(state: AddressState, again: { readonly kind: string } | undefined): string {
  if (again === undefined) return "it is in no pool for it any more";
  if (state.kind !== "allocated") return "IPAM does not give it";
  const { pod, namespace, node, type } = state.attributes;
  if (pod !== undefined) return `the pod ${namespace ?? ""}/${pod} on ${node ?? "another node"} has it`;
  if (type !== undefined) return `${node ?? "another node"} has it as ${type}`;
  return `it belongs to the handle ${state.handle ?? "of nobody"}`;
}
