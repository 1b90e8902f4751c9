import { ResourceClient, type Store, StoreError } from "@caracal/datastore";
import { CliError } from "../cli-error.ts";
import { clientVersion } from "../client-version.ts";
import type { Arguments } from "../command.ts";
import type { CliContext } from "../context.ts";
import { type ApiConfig, loadApiConfig } from "./api-config.ts";

/** A datastore that a command may use while it runs. */
export interface Connection {
  readonly store: Store;
  readonly resources: ResourceClient;
  /** Kubernetes has nodes, workloads and profiles of its own, which the store shows. */
  readonly datastoreType: ApiConfig["datastoreType"];
}

/** Connects as the configuration says, compares versions, and closes the connection whatever `action` does. */
export async function withConnection<T>(
  ctx: CliContext,
  args: Arguments,
  action: (connection: Connection) => Promise<T>,
): Promise<T> {
  const config = inContext(await loadApiConfig(args.text("config"), ctx.env), args.text("context"));
  const { datastoreType } = config;
  let store: Store;
  try {
    store = await ctx.openStore(config);
  } catch (error) {
    throw describedError(error, datastoreType);
  }
  try {
    const resources = new ResourceClient(store, {
      now: () => ctx.now().toISOString().replace(/\.\d+/, ""),
      // The global one loads `node:crypto` only when it is called.
      uuid: () => crypto.randomUUID(),
    });
    const connection = { store, resources, datastoreType };
    if (!args.flag("allow-version-mismatch")) await checkVersion(connection.resources);
    return await action(connection);
  } catch (error) {
    throw describedError(error, datastoreType);
  } finally {
    await store.close();
  }
}

/** Calico refuses to mix versions; a cluster that does not tell its version is not compared. */
async function checkVersion(resources: ResourceClient): Promise<void> {
  const found = await resources.get("ClusterInformation", "default").catch(unlessForbidden);
  if (found?.kind !== "ok") return;
  const { calicoVersion = "" } = found.resource.spec;
  if (calicoVersion === "" || plainVersion(calicoVersion) === plainVersion(clientVersion)) return;
  throw new CliError(
    [
      "version mismatch.",
      `Client Version:   ${clientVersion}`,
      `Cluster Version:  ${plainVersion(calicoVersion)}`,
      "Use --allow-version-mismatch to override",
    ].join("\n"),
  );
}

/** A user who may not read the cluster's version may still do what was asked. */
function unlessForbidden(error: unknown): undefined {
  if (!(error instanceof StoreError) || error.code !== "unauthorized") throw error;
  return undefined;
}

/** Without the leading `v` and anything from the first dash. */
function plainVersion(version: string): string {
  return version.replace(/^v/, "").replace(/-.*$/s, "");
}

/** With the context that `--context` names, which comes before the variable. */
function inContext(config: ApiConfig, context: string | undefined): ApiConfig {
  if (context === undefined) return config;
  return { ...config, environment: { ...config.environment, CALICO_K8S_CURRENT_CONTEXT: context } };
}

function describedError(error: unknown, type: ApiConfig["datastoreType"]): unknown {
  return error instanceof StoreError
    ? new CliError(describeStoreError(error, type), { cause: error })
    : error;
}

/** Calico's words where it has some; otherwise what failed and what to look at. */
export function describeStoreError({ code, message }: StoreError, type: ApiConfig["datastoreType"]): string {
  switch (code) {
    case "unauthorized":
      return `connection is unauthorized: ${message}`;
    case "unavailable":
      return `cannot reach the datastore: ${message}; check ${type === "etcdv3" ? "ETCD_ENDPOINTS" : "KUBECONFIG"} or calicoctl.cfg`;
    case "compacted":
    case "invalid":
      return message;
  }
}
