import type { Command } from "./command.ts";

/** A command's name and how to load it: only the one that runs is read from disk. */
export const commandTable: Readonly<Record<string, () => Promise<Command>>> = {
  get: async () => (await import("./commands/get.ts")).get,
  apply: async () => (await import("./commands/apply.ts")).apply,
  create: async () => (await import("./commands/create.ts")).create,
  convert: async () => (await import("./commands/convert.ts")).convert,
  validate: async () => (await import("./commands/validate.ts")).validate,
  replace: async () => (await import("./commands/replace.ts")).replace,
  delete: async () => (await import("./commands/delete.ts")).deleteCommand,
  patch: async () => (await import("./commands/patch.ts")).patch,
  label: async () => (await import("./commands/label.ts")).label,
  "node status": async () => (await import("./commands/node-status.ts")).nodeStatus,
  "node run": async () => (await import("./commands/node-run.ts")).nodeRun,
  "node checksystem": async () => (await import("./commands/node-checksystem.ts")).nodeChecksystem,
  "node diags": async () => (await import("./commands/node-diags.ts")).nodeDiags,
  "cluster diags": async () => (await import("./commands/cluster-diags.ts")).clusterDiags,
  "ipam show": async () => (await import("./commands/ipam-show.ts")).ipamShow,
  "ipam check": async () => (await import("./commands/ipam-check.ts")).ipamCheck,
  "ipam release": async () => (await import("./commands/ipam-release.ts")).ipamRelease,
  "ipam configure": async () => (await import("./commands/ipam-configure.ts")).ipamConfigure,
  "ipam split": async () => (await import("./commands/ipam-split.ts")).ipamSplit,
  "explain route": async () => (await import("./commands/explain-route.ts")).explainRoute,
  explain: async () => (await import("./commands/explain.ts")).explain,
  trace: async () => (await import("./commands/trace.ts")).trace,
  "migrate route-reflector": async () => (await import("./commands/migrate.ts")).migrateRouteReflector,
  "migrate mesh": async () => (await import("./commands/migrate.ts")).migrateMesh,
  birdcl: async () => (await import("./commands/birdcl.ts")).birdcl,
  "bgp run": async () => (await import("./commands/bgp-run.ts")).bgpRun,
  "bgp check": async () => (await import("./commands/bgp-check.ts")).bgpCheck,
  "bgp reload": async () => (await import("./commands/bgp-reload.ts")).bgpReload,
  "bgp reset": async () => (await import("./commands/bgp-reset.ts")).bgpReset,
  "bgp refresh": async () => (await import("./commands/bgp-refresh.ts")).bgpRefresh,
  "bgp shutdown": async () => (await import("./commands/bgp-shutdown.ts")).bgpShutdown,
  "bgp show": async () => (await import("./commands/bgp-show.ts")).bgpShow,
  "bgp dump": async () => (await import("./commands/bgp-dump.ts")).bgpDump,
  "bgp birdcl": async () => (await import("./commands/bgp-birdcl.ts")).bgpBirdcl,
  "confd render": async () => (await import("./commands/confd-render.ts")).confdRender,
  "cni install": async () => (await import("./commands/cni-install.ts")).cniInstall,
  "cni uninstall": async () => (await import("./commands/cni-uninstall.ts")).cniUninstall,
  lab: async () => (await import("./commands/lab.ts")).lab,
  crds: async () => (await import("./commands/crds.ts")).crds,
  "datastore serve": async () => (await import("./commands/datastore-serve.ts")).datastoreServe,
  "datastore migrate lock": async () =>
    (await import("./commands/datastore-migrate-lock.ts")).datastoreMigrateLock,
  "datastore migrate unlock": async () =>
    (await import("./commands/datastore-migrate-lock.ts")).datastoreMigrateUnlock,
  "datastore migrate export": async () =>
    (await import("./commands/datastore-migrate-export.ts")).datastoreMigrateExport,
  "datastore migrate import": async () =>
    (await import("./commands/datastore-migrate-import.ts")).datastoreMigrateImport,
  "datastore migrate-policy-names": async () =>
    (await import("./commands/datastore-migrate-policy-names.ts")).datastoreMigratePolicyNames,
  version: async () => (await import("./commands/version.ts")).version,
  __complete: async () => (await import("./completion/complete-line.ts")).completeLine,
  completion: async () => (await import("./commands/completion.ts")).completion,
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

/** Commands for people; names that begin with underscores are for completion scripts. */
export function shownCommands(group?: string): readonly (() => Promise<Command>)[] {
  const start = group === undefined ? "" : `${group} `;
  return Object.entries(commandTable).flatMap(([name, load]) =>
    name.startsWith(start) && !name.startsWith("__") ? [load] : [],
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
