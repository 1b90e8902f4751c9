import type { Command } from "./command.ts";

/** A command as lists of them show it. Only the one that runs is read from disk. */
export interface ListedCommand {
  /** One line. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** All commands by their names. */
export const commandTable: Readonly<Record<string, ListedCommand>> = {
  get: {
    summary: "Show resources.",
    load: async () => (await import("./commands/get.ts")).get,
  },
  apply: {
    summary: "Create resources from files, or update those that exist.",
    load: async () => (await import("./commands/apply.ts")).apply,
  },
  create: {
    summary: "Create resources from files.",
    load: async () => (await import("./commands/create.ts")).create,
  },
  convert: {
    summary: "Print manifests of API version 1, and Kubernetes network policies, in today's form.",
    load: async () => (await import("./commands/convert.ts")).convert,
  },
  validate: {
    summary: "Check resources in files, without a datastore.",
    load: async () => (await import("./commands/validate.ts")).validate,
  },
  replace: {
    summary: "Update resources that exist from files.",
    load: async () => (await import("./commands/replace.ts")).replace,
  },
  delete: {
    summary: "Delete resources.",
    load: async () => (await import("./commands/delete.ts")).deleteCommand,
  },
  patch: {
    summary: "Change some fields of a resource.",
    load: async () => (await import("./commands/patch.ts")).patch,
  },
  label: {
    summary: "Set or remove a label of a resource.",
    load: async () => (await import("./commands/label.ts")).label,
  },
  "node status": {
    summary: "Show the BGP neighbours of this node.",
    load: async () => (await import("./commands/node-status.ts")).nodeStatus,
  },
  "node run": {
    summary: "Run the node daemon in the foreground.",
    load: async () => (await import("./commands/node-run.ts")).nodeRun,
  },
  "node checksystem": {
    summary: "Check that this machine's kernel has what a node needs.",
    load: async () => (await import("./commands/node-checksystem.ts")).nodeChecksystem,
  },
  "node diags": {
    summary: "Collect what helps to find out what is wrong with this node.",
    load: async () => (await import("./commands/node-diags.ts")).nodeDiags,
  },
  "cluster diags": {
    summary:
      "Collect what the datastore knows of the cluster: resources, addresses, and what is wrong with them.",
    load: async () => (await import("./commands/cluster-diags.ts")).clusterDiags,
  },
  "ipam show": {
    summary: "Show how full the pools are, or who holds an address.",
    load: async () => (await import("./commands/ipam-show.ts")).ipamShow,
  },
  "ipam check": {
    summary: "Compare the addresses that are assigned with those in use.",
    load: async () => (await import("./commands/ipam-check.ts")).ipamCheck,
  },
  "ipam release": {
    summary: "Give back addresses that nobody uses any more.",
    load: async () => (await import("./commands/ipam-release.ts")).ipamRelease,
  },
  "ipam configure": {
    summary: "Change the settings of address assignment.",
    load: async () => (await import("./commands/ipam-configure.ts")).ipamConfigure,
  },
  "ipam split": {
    summary: "Replace a pool by smaller ones of equal size.",
    load: async () => (await import("./commands/ipam-split.ts")).ipamSplit,
  },
  "explain route": {
    summary: "Say why nodes have, or lack, a route to a prefix, an address, a pod or a node's blocks.",
    load: async () => (await import("./commands/explain-route.ts")).explainRoute,
  },
  explain: {
    summary: "Tell which fields a kind has, and what they may hold; explain route tells of routes.",
    load: async () => (await import("./commands/explain.ts")).explain,
  },
  trace: {
    summary:
      "Follow a packet from pod, node or address to another, hop by hop, and say where and why it ends.",
    load: async () => (await import("./commands/trace.ts")).trace,
  },
  "migrate route-reflector": {
    summary: "Move the cluster from the node-to-node mesh to route reflectors without losing a route.",
    load: async () => (await import("./commands/migrate.ts")).migrateRouteReflector,
  },
  "migrate mesh": {
    summary: "Move the cluster from route reflectors back to the node-to-node mesh without losing a route.",
    load: async () => (await import("./commands/migrate.ts")).migrateMesh,
  },
  birdcl: {
    summary: "Look at this node's routes and protocols as BIRD's client does.",
    load: async () => (await import("./commands/birdcl.ts")).birdcl,
  },
  "bgp run": {
    summary: "Run a BGP speaker in the foreground, as a file says.",
    load: async () => (await import("./commands/bgp-run.ts")).bgpRun,
  },
  "bgp check": {
    summary: "Check a BGP speaker's file, and say all that is wrong with it.",
    load: async () => (await import("./commands/bgp-check.ts")).bgpCheck,
  },
  "bgp reload": {
    summary: "Have a BGP speaker read its file again and apply what changed.",
    load: async () => (await import("./commands/bgp-reload.ts")).bgpReload,
  },
  "bgp reset": {
    summary: "End a neighbor's session and begin it again.",
    load: async () => (await import("./commands/bgp-reset.ts")).bgpReset,
  },
  "bgp refresh": {
    summary: "Ask a neighbor for all its routes again.",
    load: async () => (await import("./commands/bgp-refresh.ts")).bgpRefresh,
  },
  "bgp shutdown": {
    summary: "End a BGP speaker for good.",
    load: async () => (await import("./commands/bgp-shutdown.ts")).bgpShutdown,
  },
  "bgp show": {
    summary: "Show a BGP speaker's neighbors and routes.",
    load: async () => (await import("./commands/bgp-show.ts")).bgpShow,
  },
  "bgp dump": {
    summary: "Write a BGP speaker's table to an MRT file (RFC 6396), as bgpdump and others read it.",
    load: async () => (await import("./commands/bgp-dump.ts")).bgpDump,
  },
  "bgp birdcl": {
    summary: "Look at a BGP speaker as BIRD's client looks at BIRD.",
    load: async () => (await import("./commands/bgp-birdcl.ts")).bgpBirdcl,
  },
  "confd render": {
    summary: "Write BIRD's configuration for a node, as the datastore has it now.",
    load: async () => (await import("./commands/confd-render.ts")).confdRender,
  },
  "cni install": {
    summary: "Install the CNI plugins and their network configuration on this host.",
    load: async () => (await import("./commands/cni-install.ts")).cniInstall,
  },
  "cni uninstall": {
    summary: "Put back what was on this host before `cni install`.",
    load: async () => (await import("./commands/cni-uninstall.ts")).cniUninstall,
  },
  lab: {
    summary: "Run whole clusters on this machine, in network namespaces.",
    load: async () => (await import("./commands/lab.ts")).lab,
  },
  crds: {
    summary: "Print the CustomResourceDefinitions of a Kubernetes datastore, for kubectl apply -f -.",
    load: async () => (await import("./commands/crds.ts")).crds,
  },
  "datastore serve": {
    summary: "Serve the embedded datastore: an etcd v3 API on one directory.",
    load: async () => (await import("./commands/datastore-serve.ts")).datastoreServe,
  },
  "datastore migrate lock": {
    summary: "Keep the nodes from acting on the datastore, for a move of its contents.",
    load: async () => (await import("./commands/datastore-migrate-lock.ts")).datastoreMigrateLock,
  },
  "datastore migrate unlock": {
    summary: "Let the nodes act on the datastore again.",
    load: async () => (await import("./commands/datastore-migrate-lock.ts")).datastoreMigrateUnlock,
  },
  "datastore migrate export": {
    summary: "Print all that the datastore holds, for datastore migrate import.",
    load: async () => (await import("./commands/datastore-migrate-export.ts")).datastoreMigrateExport,
  },
  "datastore migrate import": {
    summary: "Fill an empty datastore from the file of datastore migrate export.",
    load: async () => (await import("./commands/datastore-migrate-import.ts")).datastoreMigrateImport,
  },
  "datastore migrate-policy-names": {
    summary: "Store policies under the names that people gave them, without the default. of older versions.",
    load: async () =>
      (await import("./commands/datastore-migrate-policy-names.ts")).datastoreMigratePolicyNames,
  },
  version: {
    summary: "Show the version of this program and of the cluster.",
    load: async () => (await import("./commands/version.ts")).version,
  },
  __complete: {
    summary: "The words that may stand at the end of a line.",
    load: async () => (await import("./completion/complete-line.ts")).completeLine,
  },
  completion: {
    summary: "Print a script that teaches a shell to complete commands, kinds, names and options.",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
};

/** What the first word of commands of two words is about. */
export const commandGroups: Readonly<Record<string, string>> = {
  node: "The node daemon, its BGP status, and the machine it runs on.",
  cluster: "The cluster as a whole.",
  ipam: "IP address management.",
  migrate: "Moves of a running cluster, without losing a route.",
  bgp: "A BGP speaker of its own, without a cluster.",
  confd: "BIRD's configuration files.",
  cni: "The CNI plugins on this host.",
  "datastore migrate": "Moves of all that a datastore holds to another one.",
  datastore: "The embedded datastore, and moves between datastores.",
};

/** Commands for people, with their summaries; names that begin with underscores are for completion scripts. */
export function shownCommands(group?: string): readonly (readonly [name: string, summary: string])[] {
  const start = group === undefined ? "" : `${group} `;
  return Object.entries(commandTable).flatMap(([name, { summary }]) =>
    name.startsWith(start) && !name.startsWith("__") ? [[name, summary] as const] : [],
  );
}

/** The words that may come after a group's name, or first of all. */
export function namesIn(group?: string): readonly string[] {
  const start = group === undefined ? "" : `${group} `;
  const names = Object.keys(commandTable).flatMap((name) =>
    name.startsWith(start) && !name.startsWith("__") ? [name.slice(start.length).replace(/ .*/, "")] : [],
  );
  return [...new Set([...names, ...(group === undefined ? ["help"] : [])])];
}
