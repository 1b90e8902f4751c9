import { type Entry, keys, type Store, Syncer } from "@caracal/datastore";
import type { Cancellation } from "@caracal/net";
import { isRecord, namespaceProfile, parseJson, profileKind } from "@caracal/resources";
import type { NamespaceFacts } from "../cni/ports.ts";
import { pause } from "../cluster/cluster-view.ts";

/** As Calico names Kubernetes' own kinds among its resources; the values are Kubernetes' documents. */
const namespacesPlural = "kubernetesnamespaces";
/** What a namespace's labels are called where its profile hands them to endpoints. */
const profileLabelPrefix = "pcns.";

/**
 * Labels and annotations of namespaces, kept by watches so that an ADD need not ask: from Kubernetes' own document, and
 * from the namespace's profile where the datastore has only that.
 */
export class WatchedNamespaces {
  readonly #store: Store;
  readonly #syncers: readonly Syncer[];

  constructor(store: Store) {
    this.#store = store;
    const prefixes = [
      keys.resources(namespacesPlural),
      keys.resources(profileKind.plural) + namespaceProfile(""),
    ];
    this.#syncers = prefixes.map(
      (prefix) => new Syncer({ store, prefix, sleep: pause, onChanges: () => undefined }),
    );
  }

  /** Follows the store until the signal aborts. */
  async run(signal: Cancellation): Promise<void> {
    await Promise.all(this.#syncers.map((syncer) => syncer.run(signal)));
  }

  /** Everything is being watched now. */
  get isCurrent(): boolean {
    return this.#syncers.every(({ status }) => status.kind === "inSync");
  }

  async get(namespace: string): Promise<NamespaceFacts | undefined> {
    const [document, profile] = await Promise.all([
      this.#entry(keys.resource(namespacesPlural, namespace)),
      this.#entry(keys.resource(profileKind.plural, namespaceProfile(namespace))),
    ]);
    if (document === undefined && profile === undefined) return undefined;
    const ofDocument = metadataOf(document);
    const ofProfile = metadataOf(profile);
    return {
      labels: { ...labelsToApply(profile), ...textsOf(ofDocument["labels"]) },
      annotations: new Map(
        Object.entries({ ...textsOf(ofProfile["annotations"]), ...textsOf(ofDocument["annotations"]) }),
      ),
    };
  }

  async #entry(key: string): Promise<Entry | undefined> {
    if (!this.isCurrent) return this.#store.get(key);
    return this.#syncers.map(({ entries }) => entries.get(key)).find((entry) => entry !== undefined);
  }
}

type Members = Readonly<Record<string, unknown>>;

function membersOf(entry: Entry | undefined): Members {
  const parsed = entry === undefined ? undefined : parseJson(entry.value);
  return parsed?.kind === "ok" && isRecord(parsed.value) ? parsed.value : {};
}

function metadataOf(entry: Entry | undefined): Members {
  const { metadata } = membersOf(entry);
  return isRecord(metadata) ? metadata : {};
}

function labelsToApply(profile: Entry | undefined): Readonly<Record<string, string>> {
  const { spec } = membersOf(profile);
  const labels = Object.entries(textsOf(isRecord(spec) ? spec["labelsToApply"] : undefined));
  return Object.fromEntries(
    labels.flatMap(([name, value]) =>
      name.startsWith(profileLabelPrefix) ? [[name.slice(profileLabelPrefix.length), value]] : [],
    ),
  );
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  const members = isRecord(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    members.flatMap(([name, item]) => (typeof item === "string" ? [[name, item]] : [])),
  );
}
