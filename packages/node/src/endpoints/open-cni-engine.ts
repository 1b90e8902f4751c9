import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Store } from "@caracal/datastore";
import { type ClusterView, pause } from "../cluster/cluster-view.ts";
import { CniEngine } from "../cni/cni-engine.ts";
import type { DeletionBacklog } from "../cni/deletion-backlog.ts";
import type { LinuxPodKernel } from "../cni/linux-pod-kernel.ts";
import type { NodeConfig } from "../config.ts";
import type { Log } from "../observe/log.ts";
import type { Routing } from "../routing/routing.ts";
import { readMtu } from "../startup/node-files.ts";
import { AnnouncingPodKernel } from "./announcing-pod-kernel.ts";
import type { EndpointStatusFiles } from "./endpoint-status-files.ts";
import type { KnownPods } from "./known-pods.ts";
import { NetworkProfiles } from "./network-profiles.ts";
import { NodePodIpam } from "./node-pod-ipam.ts";
import { nodeWithAddress } from "./node-with-address.ts";
import { podAnnotations } from "./pod-annotations.ts";
import { openWatchedIpam } from "./watched-ipam.ts";
import { WatchedNamespaces } from "./watched-namespaces.ts";

/** What pods are made of and taken away with, whatever the datastore says. */
export interface Pods {
  readonly kernel: LinuxPodKernel;
  readonly deletions: DeletionBacklog;
  readonly known: KnownPods;
}

export interface CniEngineSources {
  readonly config: NodeConfig;
  readonly node: string;
  readonly store: Store;
  readonly log: Log;
  readonly view: ClusterView;
  readonly routing: Routing;
  readonly statusFiles: EndpointStatusFiles;
  readonly endpointStatusDirectory: string;
  readonly pods: Pods;
}

export interface OpenCniEngine {
  readonly engine: CniEngine;
  /** What has to run as long as it serves. */
  readonly background: readonly ((signal: AbortSignal) => Promise<void>)[];
}

/** How long an ADD waits for a datastore that is away. With the time that the ADD itself may take it is less than the plugin waits. */
const addStoreWaitMs = 30_000;
/** So often it is tried to finish deletions that wait for the datastore. */
const deletionPauseMs = 2_000;

/** The CNI engine on what the daemon has: its view of the cluster, its routes, its store and kernel. */
export function openCniEngine(sources: CniEngineSources): OpenCniEngine {
  const { config, node, store, log, view, routing, statusFiles, endpointStatusDirectory } = sources;
  const { kernel: podKernel, deletions, known } = sources.pods;
  const { ipam, settings } = openWatchedIpam({ store, node, view });
  const namespaces = new WatchedNamespaces(store);
  const now = (): string => `${new Date().toISOString().slice(0, 19)}Z`;
  const clock = (): number => performance.now();
  const profiles = new NetworkProfiles({ store, now, uuid: randomUUID, clock });
  const engine = new CniEngine({
    node,
    interfacePrefix: config.podInterfacePrefix,
    store,
    ipam: new NodePodIpam(ipam, node, settings),
    kernel: new AnnouncingPodKernel(podKernel, routing),
    hooks: {
      blocksClaimed: (blocks) => routing.blocksClaimed(blocks),
      endpointAdded: async ({ namespace, endpointName: endpoint, statusFile, containerId }, problems) => {
        statusFiles.renew(statusFile, containerId);
        for (const problem of problems) log.warn({ namespace, endpoint, problem }, "annotation problem");
      },
      endpointRemoved: async ({ statusFile }) => statusFiles.forget(statusFile),
    },
    isReady: () => view.isDatastoreReady,
    nodeNameFile: config.nodeNameFile,
    endpointStatusDirectory,
    ensureProfile: (network, isKubernetes) => profiles.ensure(network, isKubernetes),
    storeWaitMs: addStoreWaitMs,
    deletions,
    knowsEndpoint: (namespace, name) => known.has(namespace, name),
    sources: { now: () => new Date(), uuid: randomUUID },
    namespaceFacts: (namespace) => namespaces.get(namespace),
    ...(config.isKubernetesDatastore ? { podAnnotations: (pod) => podAnnotations(store, pod) } : {}),
    podCidrs: () =>
      view.resources.nodes.find(({ metadata }) => metadata.name === node)?.status?.podCIDRs ?? [],
    nodeWith: (address) => nodeWithAddress(view.resources.nodes, address),
    defaultMtu: () => readMtu(join(config.libDir, "mtu")),
  });
  return {
    engine,
    background: [
      (signal) => settings.run(signal),
      (signal) => namespaces.run(signal),
      (signal) => finishDeletions(engine, signal),
    ],
  };
}

/** Until the signal aborts. */
async function finishDeletions(engine: CniEngine, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await engine.finishDeletions();
    await pause(deletionPauseMs, signal);
  }
}
