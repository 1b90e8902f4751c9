import type { IpAddress, IpFamily, Prefix } from "@caracal/net";
import type { AssignResult, Ipam, NotFirst, OldEntry } from "@caracal/ipam";
import type {
  AddressOutcome,
  AddressRequest,
  AddressStanding,
  FirstAddressRequest,
  PodIpam,
} from "../cni/ports.ts";

/** Settings that may be a little late, and are newer when they are doubted. */
export interface DoubtableSettings {
  /** The next time they are asked for, they are not late. */
  doubt(): void;
}

/** The node's IPAM as CNI asks for it: all families of a pod or none, and all found again by the handle. */
export class NodePodIpam implements PodIpam {
  readonly #ipam: Ipam;
  readonly #node: string;
  readonly #settings: DoubtableSettings | undefined;

  /** `settings` are those of `ipam`, if they may be late: a pool that has just been made refuses nobody. */
  constructor(ipam: Ipam, node: string, settings?: DoubtableSettings) {
    this.#ipam = ipam;
    this.#node = node;
    this.#settings = settings;
  }

  addressesOf(handle: string): Promise<readonly IpAddress[]> {
    return this.#ipam.addressesOf(handle);
  }

  async assign(request: AddressRequest): Promise<AddressOutcome> {
    const first = await this.#assignAll(request);
    if (first.kind === "assigned" || this.#settings === undefined) return first;
    this.#settings.doubt();
    return this.#assignAll(request);
  }

  async assignFirst(request: FirstAddressRequest): Promise<AddressOutcome | NotFirst> {
    const first = await this.#assignFirst(request);
    if (first.kind !== "refused" || this.#settings === undefined) return first;
    this.#settings.doubt();
    return this.#assignFirst(request);
  }

  async standingOf(address: IpAddress): Promise<AddressStanding> {
    const [state, pool] = await Promise.all([this.#ipam.lookup(address), this.#ipam.openPoolOf(address)]);
    return { holder: state.kind === "allocated" ? (state.handle ?? "") : undefined, pool: pool?.name };
  }

  async release(handle: string): Promise<boolean> {
    return (await this.#ipam.releaseHandle(handle)).length > 0;
  }

  get releasesTogether(): boolean {
    return this.#ipam.releasesTogether;
  }

  async releaseLast(handle: string, entry: OldEntry): Promise<boolean> {
    return (await this.#ipam.releaseLast(handle, entry)).kind === "released";
  }

  async handlesOf(prefix: string): Promise<readonly string[]> {
    const handles = await this.#ipam.handlesOf(prefix);
    const own = await Promise.all(handles.map((handle) => this.#isOurs(handle)));
    return handles.filter((_handle, index) => own[index] === true);
  }

  async #assignAll(request: AddressRequest): Promise<AddressOutcome> {
    const outcomes = await Promise.all(
      request.certain === undefined
        ? request.families.map((family) => this.#assignFamily(request, family))
        : request.certain.map((address) => this.#assignOne(request, address)),
    );
    const assigned = outcomes.filter((outcome) => outcome.kind === "assigned");
    const addresses = assigned.flatMap((outcome) => outcome.addresses);
    const refusals = outcomes.filter((outcome) => outcome.kind === "refused");
    if (refusals.length > 0) {
      // The handle may hold an earlier call's addresses too, and those may be in use.
      const { handle } = request;
      await Promise.all(addresses.map((address) => this.#ipam.release({ address, handle })));
      return { kind: "refused", reason: refusals.map(({ reason }) => reason).join("; ") };
    }
    return { kind: "assigned", addresses, claimed: assigned.flatMap(({ claimed }) => claimed) };
  }

  async #assignFamily(request: AddressRequest, family: IpFamily): Promise<AddressOutcome> {
    const { handle, attributes } = request;
    const places = placesOf(request, family);
    return outcomeOf(family, await this.#ipam.assign({ family, handle, attributes, ...places }));
  }

  async #assignFirst(request: FirstAddressRequest): Promise<AddressOutcome | NotFirst> {
    const { family, handle, attributes, together } = request;
    const places = placesOf(request, family);
    const result = await this.#ipam.assignFirst({ family, handle, attributes, together, ...places });
    return result.kind === "exists" ? result : outcomeOf(family, result);
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

/** Where an address of a family may come from. */
function placesOf(
  { pools, namespaceLabels }: Pick<AddressRequest, "pools" | "namespaceLabels">,
  family: IpFamily,
): Pick<Parameters<Ipam["assign"]>[0], "pools" | "namespaceLabels"> {
  return { pools: pools[family], ...(namespaceLabels !== undefined && { namespaceLabels }) };
}

function outcomeOf(family: IpFamily, result: AssignResult): AddressOutcome {
  if (result.kind === "assigned") return result;
  return { kind: "refused", reason: `failed to request IPv${family} addresses: ${result.message}` };
}
