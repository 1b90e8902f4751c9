import { isJsonObject, isTextRecord } from "./json-value.ts";
import { isProcessIdentity, type ProcessIdentity } from "./process-identity.ts";
import type { Environment, NetworkSpec, PoolSpec, SwitchDaemon } from "./topology.ts";

/** What holds for a whole lab as long as it exists. */
export interface LabRecord {
  readonly name: string;
  readonly description: string;
  readonly topology: string;
  readonly createdAt: string;
  /** Of the machine's boot: after another one, nothing of the lab runs any more. */
  readonly bootId: string;
  /** The `lab up` that made it. */
  readonly maker: ProcessIdentity;
  readonly store: StoreChoice;
  readonly pool: PoolSpec;
  readonly pool6?: PoolSpec;
  readonly environment: Environment;
  readonly networks: readonly NetworkSpec[];
  /** What all switches run, where `up` was told another than the file says. */
  readonly switchDaemon?: SwitchDaemon;
}

/** Where a lab's data is: in a server of its own, or in an etcd that exists already (`host:port` each). */
export type StoreChoice =
  | { readonly kind: "embedded"; readonly listen?: string }
  | { readonly kind: "etcd"; readonly endpoints: readonly string[] };

/** One node of a lab. */
export interface NodeRecord {
  readonly name: string;
  readonly network: string;
  readonly address: string;
  readonly address6?: string;
  /** Its interface on the switch. */
  readonly port: string;
  readonly backend: string;
  readonly environment: Environment;
}

/** One pod of a lab. */
export interface PodRecord {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly containerId: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Its addresses, once it has been added to the network. */
  readonly addresses: readonly string[];
}

export function isLabRecord(value: unknown): value is LabRecord {
  return (
    hasTexts(value, ["name", "description", "topology", "createdAt", "bootId"]) &&
    isProcessIdentity(value["maker"]) &&
    isStoreChoice(value["store"]) &&
    isPool(value["pool"]) &&
    (value["pool6"] === undefined || isPool(value["pool6"])) &&
    isTextRecord(value["environment"]) &&
    Array.isArray(value["networks"]) &&
    value["networks"].every((network) => hasTexts(network, ["name", "subnet", "kind"]))
  );
}

export function isNodeRecord(value: unknown): value is NodeRecord {
  return (
    hasTexts(value, ["name", "network", "address", "port", "backend"]) && isTextRecord(value["environment"])
  );
}

export function isPodRecord(value: unknown): value is PodRecord {
  return (
    hasTexts(value, ["name", "namespace", "node", "containerId"]) &&
    isTextRecord(value["annotations"]) &&
    isTexts(value["addresses"])
  );
}

function isStoreChoice(value: unknown): value is StoreChoice {
  if (!isJsonObject(value)) return false;
  return value["kind"] === "embedded" || (value["kind"] === "etcd" && isTexts(value["endpoints"]));
}

function isPool(value: unknown): value is PoolSpec {
  return hasTexts(value, ["cidr", "ipip", "vxlan"]) && typeof value["blockSize"] === "number";
}

function hasTexts(value: unknown, keys: readonly string[]): value is Readonly<Record<string, unknown>> {
  return isJsonObject(value) && keys.every((key) => typeof value[key] === "string");
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((member) => typeof member === "string");
}
