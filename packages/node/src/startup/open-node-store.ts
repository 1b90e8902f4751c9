import { readFileSync } from "node:fs";
import type { Store } from "@caracal/datastore";
import { configFromEnvironment, EtcdStore } from "@caracal/store-etcd";
import type { Environment } from "../config.ts";
import { isKubernetesDatastore } from "./datastore-type.ts";
import { StartUpError } from "./start-up-error.ts";

/** The datastore that the daemon's environment names. Throws `StartUpError` or `StoreError` for what a person must mend. */
export async function openNodeStore(env: Environment): Promise<Store> {
  if (isKubernetesDatastore(env)) {
    const { openKubernetesStore } = await import("@caracal/store-kubernetes");
    return openKubernetesStore(env);
  }
  const connection = configFromEnvironment(env, (path) => readFileSync(path, "utf8"));
  if (connection !== undefined) return new EtcdStore(connection);
  throw new StartUpError(
    "environment ETCD_ENDPOINTS is not set: name the datastore, such as http://127.0.0.1:2379 or unix:///run/store.sock",
  );
}
