import { type Entry, keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import {
  defaultIpamConfig,
  type IpamConfig,
  IpamConfigCodec,
  ipPoolKind,
  ipReservationKind,
  type Kind,
  type Labels,
  nodeKind,
  parseJson,
} from "@caracal/resources";
import { IpamError } from "./ipam-error.ts";
import { type Pool, selectsNode, toPool } from "./pool.ts";
import { Reservations } from "./reservation.ts";

/** What IPAM must know besides its own records. */
export interface IpamSettings {
  /** In the order to try them: by name. */
  readonly pools: readonly Pool[];
  readonly reservations: Reservations;
  readonly config: IpamConfig;
  /** Labels of this node, for node selectors. */
  readonly nodeLabels: Labels;
}

/** How many blocks a node may own where the configuration says 0. */
export const defaultMaxBlocks = 20;

/** What settings are read from: a store, or what a daemon that watches one has of it. */
export interface SettingsSource {
  get(key: string): Promise<Entry | undefined>;
  /** Ordered by key. */
  list(prefix: string): Promise<{ readonly entries: readonly Entry[] }>;
}

/** Reads the settings for `node`. */
export async function readSettings(store: SettingsSource, node: string): Promise<IpamSettings> {
  const [pools, reservations, config, nodeEntry] = await Promise.all([
    store.list(keys.resources(ipPoolKind.plural)),
    store.list(keys.resources(ipReservationKind.plural)),
    store.get(keys.ipamConfig),
    store.get(keys.resource(nodeKind.plural, node)),
  ]);
  return {
    pools: pools.entries.flatMap((entry) => {
      const resource = readResource(ipPoolKind, entry.value);
      return resource === undefined ? [] : (toPool(resource) ?? []);
    }),
    reservations: Reservations.of(
      reservations.entries.flatMap((entry) => readResource(ipReservationKind, entry.value) ?? []),
    ),
    config: config === undefined ? defaultIpamConfig : readConfig(config.value),
    nodeLabels:
      nodeEntry === undefined ? {} : (readResource(nodeKind, nodeEntry.value)?.metadata.labels ?? {}),
  };
}

/** Whether a block's pool has stopped selecting this node: then the block goes as soon as it is empty. */
export function isUnwantedBlock({ pools, nodeLabels }: IpamSettings, block: Prefix): boolean {
  const pool = pools.find(({ cidr }) => Prefix.covers(cidr, block));
  return pool !== undefined && !selectsNode(pool, nodeLabels);
}

/** A stored resource that cannot be read is passed over, as Calico does in lists. */
function readResource<R>(kind: Kind<R>, json: string): R | undefined {
  const parsed = parseJson(json);
  if (parsed.kind === "bad") return undefined;
  const reading = kind.parse(parsed.value, "store");
  return reading.kind === "ok" ? reading.value : undefined;
}

function readConfig(json: string): IpamConfig {
  const reading = IpamConfigCodec.parse(json);
  // Guessing could borrow addresses that strict affinity forbids.
  if (reading.kind === "bad") throw new IpamError("corrupt", `${keys.ipamConfig} is not readable`);
  return reading.value;
}
