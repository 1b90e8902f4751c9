import { type Ipam, Nanos } from "@caracal/ipam";
import type { IpAddress, IpFamily, Prefix } from "@caracal/net";
import type { AddressOutcome, AddressRequest, PodIpam } from "./ports.ts";

/** `Ipam` as the CNI engine asks for it: all families of a pod or none, and attributes with the time as Calico has them. */
export class NodePodIpam implements PodIpam {
  readonly #ipam: Ipam;
  readonly #now: () => Nanos;

  constructor(ipam: Ipam, now: () => Nanos) {
    this.#ipam = ipam;
    this.#now = now;
  }

  addressesOf(handle: string): Promise<readonly IpAddress[]> {
    return this.#ipam.addressesOf(handle);
  }

  handlesOf(prefix: string): Promise<readonly string[]> {
    return this.#ipam.handlesOf(prefix);
  }

  async release(handle: string): Promise<void> {
    await this.#ipam.releaseHandle(handle);
  }

  async assign(request: AddressRequest): Promise<AddressOutcome> {
    const attributes = { ...request.attributes, timestamp: Nanos.formatGo(this.#now()) };
    if (request.address !== undefined) {
      const { handle, address } = request;
      const result = await this.#ipam.assignAddress({ handle, address, attributes });
      if (result.kind === "refused") return { kind: "refused", reason: result.message };
      return {
        kind: "assigned",
        addresses: [address],
        claimed: result.claimed === undefined ? [] : [result.claimed],
      };
    }
    const parts = await Promise.all(
      request.families.map((family) => this.#assignFamily(request, family, attributes)),
    );
    const addresses = parts.flatMap((part) => part.addresses);
    const reasons = parts.flatMap((part) => (part.reason === undefined ? [] : [part.reason]));
    if (reasons.length === 0) {
      return { kind: "assigned", addresses, claimed: parts.flatMap(({ claimed }) => claimed) };
    }
    // One family without the other is no network; what the handle held before this call stays.
    const { handle } = request;
    await Promise.all(addresses.map((address) => this.#ipam.release({ address, handle })));
    return { kind: "refused", reason: reasons.join("; ") };
  }

  async #assignFamily(
    { handle, pools }: AddressRequest,
    family: IpFamily,
    attributes: Readonly<Record<string, string>>,
  ): Promise<FamilyPart> {
    const result = await this.#ipam.assign({ family, handle, attributes, pools: pools[family] });
    if (result.kind === "assigned")
      return { addresses: result.addresses, claimed: result.claimed, reason: undefined };
    const addresses = result.kind === "short" ? result.addresses : [];
    return { addresses, claimed: [], reason: `failed to request IPv${family} addresses: ${result.message}` };
  }
}

interface FamilyPart {
  readonly addresses: readonly IpAddress[];
  readonly claimed: readonly Prefix[];
  readonly reason: string | undefined;
}
