import { ResourceClient, type Store, StoreError } from "@caracal/datastore";
import { apiVersion, type Profile, profileKind } from "@caracal/resources";

export interface NetworkProfilesOptions {
  readonly store: Store;
  /** RFC 3339, whole seconds. */
  readonly now: () => string;
  readonly uuid: () => string;
  /** Milliseconds of any clock that never goes back. */
  readonly clock: () => number;
}

/** A profile that was there is looked for again after this, should someone have deleted it. */
const trustMs = 60_000;
/** A node has few networks. */
const rememberedMax = 256;

/**
 * The profiles of CNI networks whose configuration names no policy: endpoints take part in the profile that is called as their
 * network, and it is made when the first of them comes. One that is there is never changed.
 */
export class NetworkProfiles {
  readonly #client: ResourceClient;
  readonly #clock: () => number;
  readonly #seen = new Map<string, number>();

  constructor({ store, now, uuid, clock }: NetworkProfilesOptions) {
    this.#client = new ResourceClient(store, { now, uuid });
    this.#clock = clock;
  }

  /** `isKubernetes`: Kubernetes' networks let everyone in until policies say otherwise, others let in only their own. */
  async ensure(network: string, isKubernetes: boolean): Promise<void> {
    const seen = this.#seen.get(network);
    if (seen !== undefined && this.#clock() - seen < trustMs) return;
    const profile = profileOf(network, isKubernetes);
    if (profile !== undefined && !(await this.#isThere(network))) {
      try {
        await this.#client.create(profile);
      } catch (error) {
        // Kubernetes' datastore has no profiles but those of its namespaces and service accounts.
        if (!(error instanceof StoreError) || error.code !== "invalid") throw error;
      }
    }
    if (this.#seen.size >= rememberedMax) this.#seen.clear();
    this.#seen.set(network, this.#clock());
  }

  async #isThere(network: string): Promise<boolean> {
    const found = await this.#client.get("Profile", network);
    return found.kind === "ok" || found.reason !== "missing";
  }
}

/** Calico's rules; a network whose name no profile can have has none. */
function profileOf(network: string, isKubernetes: boolean): Profile | undefined {
  const source = isKubernetes ? {} : { source: { selector: `has(${network})` } };
  const document = {
    kind: "Profile",
    apiVersion,
    metadata: { name: network },
    spec: {
      ingress: [{ action: "Allow", ...source }],
      egress: [{ action: "Allow" }],
      labelsToApply: { [network]: "" },
    },
  };
  const reading = profileKind.parse(document, "user");
  return reading.kind === "ok" ? reading.value : undefined;
}
