import type { IpAddress, IpFamily, Prefix } from "@caracal/net";
import type { Ipam } from "@caracal/ipam";
import type { AddressOutcome, AddressRequest, PodIpam } from "../cni/ports.ts";

/** The node's IPAM as CNI asks for it: all families of a pod or none, and all found again by the handle. */
export class NodePodIpam implements PodIpam {
  readonly #ipam: Ipam;
  readonly #node: string;

  constructor(ipam: Ipam, node: string) {
    this.#ipam = ipam;
    this.#node = node;
  }

  addressesOf(handle: string): Promise<readonly IpAddress[]> {
    return this.#ipam.addressesOf(handle);
  }

  async assign(request: AddressRequest): Promise<AddressOutcome> {
    if (request.address !== undefined) return this.#assignOne(request, request.address);
    const outcomes = await Promise.all(request.families.map((family) => this.#assignFamily(request, family)));
    const refusals = outcomes.filter((outcome) => outcome.kind === "refused");
    if (refusals.length > 0) {
      await this.#ipam.releaseHandle(request.handle);
      return { kind: "refused", reason: refusals.map(({ reason }) => reason).join("; ") };
    }
    const assigned = outcomes.filter((outcome) => outcome.kind === "assigned");
    return {
      kind: "assigned",
      addresses: assigned.flatMap(({ addresses }) => addresses),
      claimed: assigned.flatMap(({ claimed }) => claimed),
    };
  }

  async release(handle: string): Promise<void> {
    await this.#ipam.releaseHandle(handle);
  }

  async handlesOf(prefix: string): Promise<readonly string[]> {
    const handles = await this.#ipam.handlesOf(prefix);
    const own = await Promise.all(handles.map((handle) => this.#isOurs(handle)));
    return handles.filter((_handle, index) => own[index] === true);
  }

  async #assignFamily(request: AddressRequest, family: IpFamily): Promise<AddressOutcome> {
    const { handle, attributes } = request;
    const result = await this.#ipam.assign({ family, handle, attributes, pools: request.pools[family] });
    if (result.kind === "assigned") return result;
    return { kind: "refused", reason: `failed to request IPv${family} addresses: ${result.message}` };
  }

  async #assignOne(request: AddressRequest, address: IpAddress): Promise<AddressOutcome> {
    const { handle, attributes } = request;
    const result = await this.#ipam.assignAddress({ address, handle, attributes });
    if (result.kind === "refused") return { kind: "refused", reason: result.message };
    const claimed: readonly Prefix[] = result.claimed === undefined ? [] : [result.claimed];
    return { kind: "assigned", addresses: [address], claimed };
  }

  /** A handle's addresses are all of one node, so the first that says whose it is decides. */
  async #isOurs(handle: string): Promise<boolean> {
    for (const address of await this.#ipam.addressesOf(handle)) {
      const state = await this.#ipam.lookup(address);
      if (state.kind === "allocated") return state.attributes["node"] === this.#node;
    }
    return false;
  }
}
