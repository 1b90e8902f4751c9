import { accessSync, constants, existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  digestOf,
  type HostFile,
  readHostEntry,
  readHostFile,
  removeHostFile,
  removeLeftTemporaries,
  replaceHostFile,
} from "../host-file.ts";
import { lockInstallation } from "./install-lock.ts";
import { formOf, InstallRecord, kubeconfigName, type PathRecord } from "./install-record.ts";
import type { InstallSettings, KubernetesAccess } from "./install-settings.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import { chainedPlugins, defaultTemplate, renderNetworkConfig } from "./network-config.ts";

/** What became of one path. */
export interface PathOutcome {
  readonly path: string;
  readonly kind: "installed" | "up-to-date" | "removed" | "restored" | "skipped" | "left";
  /** Why it was skipped or left, or what else there is to know. */
  readonly detail?: string;
}

/** The installation cannot be done; nothing was changed. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

/** A file to be put in place, or to be taken away. */
interface Target {
  readonly path: string;
  readonly file?: HostFile;
  /** Leaves one that is there as it is. */
  readonly isOnlyWhenAbsent?: boolean;
}

const pluginNames = ["calico", "calico-ipam"] as const;
/** Of the directory beside the network configuration that holds etcd's certificates. */
export const tlsDirectoryName = "calico-tls";
const tlsNames = ["etcd-ca", "etcd-cert", "etcd-key"] as const;

/**
 * Puts the plugins and their configuration on a host, as Calico's install-cni does: plugins first, the network configuration
 * last, so that a runtime never finds a configuration without its plugins. Each file comes in one step. All that can be wrong is
 * found before the first. Throws `InstallError`, `InstallBusyError`, `InstallRecordError`, and what the file system says.
 *
 * @param pluginDirectory where `calico` and `calico-ipam` were built
 * @param isFollowing it was installed before, and only what has changed since is to be seen to
 */
export function installPlugins(
  settings: InstallSettings,
  pluginDirectory: string,
  isFollowing = false,
): readonly PathOutcome[] {
  const account = readServiceAccount(settings);
  const targets = [
    ...pluginTargets(settings, pluginDirectory),
    ...tlsTargets(settings),
    ...kubeconfigTargets(settings, account),
    ...configTargets(settings, account),
  ];
  const { binDirectories, netDirectory, stateDirectory } = settings;
  ensureWritable(stateDirectory);
  using _turn = lockInstallation(stateDirectory);
  const record = new InstallRecord(stateDirectory);
  for (const directory of [...binDirectories, netDirectory]) ensureWritable(directory);
  for (const { path } of targets) ensureReplaceable(path);
  return targets.map((target) => place(record, target, isFollowing));
}

/** Puts one file in place or away, and remembers what was there. */
function place(
  record: InstallRecord,
  { path, file, isOnlyWhenAbsent = false }: Target,
  isFollowing: boolean,
): PathOutcome {
  removeLeftTemporaries(path);
  const current = readHostEntry(path);
  const known = record.get(path);
  if (file === undefined) {
    if (current === undefined) return { path, kind: "up-to-date" };
    record.remember(path, undefined, current);
    removeHostFile(path);
    return { path, kind: "removed", detail: "its name is that of an earlier configuration" };
  }
  if (isOnlyWhenAbsent && current !== undefined) {
    return { path, kind: "skipped", detail: "it is there, and UPDATE_CNI_BINARIES is false" };
  }
  const isSame =
    current?.link === undefined &&
    current?.content.equals(file.content) === true &&
    current.mode === file.mode;
  if (isSame && known?.installed === digestOf(file.content)) return { path, kind: "up-to-date" };
  if (isFollowing && current !== undefined && hasOthersToken(known, path, current)) {
    return { path, kind: "up-to-date", detail: "the node daemon has renewed its token" };
  }
  const changed = current !== undefined && known !== undefined && !isOf(known, current);
  const copy = changed ? record.copyPath(record.keep(current.content)) : undefined;
  record.remember(path, file.content, current);
  if (!isSame) replaceHostFile(path, file);
  const detail = copy === undefined ? {} : { detail: `someone had changed it; that one is kept as ${copy}` };
  return { path, kind: isSame ? "up-to-date" : "installed", ...detail };
}

/** Whether a file is what was installed, but for its token. */
function hasOthersToken(known: PathRecord | undefined, path: string, { content }: HostFile): boolean {
  const { installedForm } = formOf(path, content);
  return (
    installedForm !== undefined &&
    installedForm === known?.installedForm &&
    digestOf(content) !== known.installed
  );
}

/** Whether a file is what was installed, or what was there before. */
export function isOf(known: PathRecord, { content }: HostFile): boolean {
  const digest = digestOf(content);
  const { installedForm } = formOf(known.path, content);
  return (
    digest === known.installed ||
    digest === known.before?.digest ||
    (installedForm !== undefined && installedForm === known.installedForm)
  );
}

function pluginTargets(settings: InstallSettings, pluginDirectory: string): readonly Target[] {
  const names = pluginNames.filter((name) => !settings.skippedBinaries.includes(name));
  return settings.binDirectories.flatMap((directory) =>
    names.map((name) => {
      const file = readHostFile(join(pluginDirectory, name));
      if (file === undefined) throw new InstallError(`the plugin ${name} is not in ${pluginDirectory}`);
      const target = { path: join(directory, name), file: { content: file.content, mode: 0o755 } };
      return settings.updatesBinaries ? target : { ...target, isOnlyWhenAbsent: true };
    }),
  );
}

function tlsTargets({ tlsDirectory, netDirectory }: InstallSettings): readonly Target[] {
  return tlsNames.flatMap((name) => {
    const file = readHostFile(join(tlsDirectory, name));
    if (file === undefined) return [];
    return [
      { path: join(netDirectory, tlsDirectoryName, name), file: { content: file.content, mode: 0o600 } },
    ];
  });
}

/** Who the plugin is for the API server. */
interface ServiceAccount {
  readonly access: KubernetesAccess;
  readonly token: string;
  readonly certificateAuthority: string | undefined;
}

function readServiceAccount({ kubernetes: access }: InstallSettings): ServiceAccount | undefined {
  if (access === undefined) return undefined;
  const { serviceAccountDirectory: directory } = access;
  const token = readHostFile(join(directory, "token"));
  if (token === undefined) {
    throw new InstallError(
      `KUBERNETES_SERVICE_HOST is set, but there is no service account's token in ${directory}`,
    );
  }
  const authority = readHostFile(join(directory, "ca.crt"));
  return { access, token: token.content.toString(), certificateAuthority: authority?.content.toString() };
}

function kubeconfigTargets(
  { netDirectory }: InstallSettings,
  account: ServiceAccount | undefined,
): readonly Target[] {
  if (account === undefined) return [];
  const text = kubeconfigText(account.access, account.token, account.certificateAuthority);
  return [{ path: join(netDirectory, kubeconfigName), file: { content: Buffer.from(text), mode: 0o600 } }];
}

/** The configuration, and the one of an earlier name after it. */
function configTargets(settings: InstallSettings, account: ServiceAccount | undefined): readonly Target[] {
  const { netDirectory, configName, oldConfigName, runDirectory } = settings;
  const present = chainedPlugins.filter((name) =>
    settings.binDirectories.some((directory) => existsSync(join(directory, name))),
  );
  const template = settings.template ?? defaultTemplate(present, account !== undefined);
  const outcome = renderNetworkConfig(
    template,
    { ...settings.values, ...hostValues(settings, account) },
    runDirectory,
  );
  if (outcome.kind === "invalid")
    throw new InstallError(`the network configuration is wrong: ${outcome.problem}`);
  const path = join(netDirectory, configName);
  const config: Target = { path, file: { content: Buffer.from(outcome.text), mode: 0o600 } };
  return oldConfigName === undefined ? [config] : [config, { path: join(netDirectory, oldConfigName) }];
}

/** Values of the placeholders that come from files: their paths, as the host knows them, and the token. */
function hostValues(
  { netDirectoryOnHost: net, tlsDirectory }: InstallSettings,
  account: ServiceAccount | undefined,
): Readonly<Record<string, string>> {
  const tls = (name: string): string =>
    existsSync(join(tlsDirectory, name)) ? join(net, tlsDirectoryName, name) : "";
  return {
    KUBECONFIG_FILEPATH: join(net, kubeconfigName),
    SERVICEACCOUNT_TOKEN: account?.token.trim() ?? "",
    ETCD_CA_CERT_FILE: tls("etcd-ca"),
    ETCD_CERT_FILE: tls("etcd-cert"),
    ETCD_KEY_FILE: tls("etcd-key"),
  };
}

/** Network configurations that a runtime which takes the first by name would take instead of the installed one. */
export function configurationsBefore({ netDirectory, configName }: InstallSettings): readonly string[] {
  return readdirSync(netDirectory)
    .filter((name) => /\.(conf|conflist|json)$/.test(name) && name < configName)
    .toSorted();
}

function ensureReplaceable(path: string): void {
  try {
    readHostEntry(path);
  } catch (cause) {
    throw new InstallError(cause instanceof Error ? cause.message : path, { cause });
  }
}

function ensureWritable(directory: string): void {
  try {
    // Asked of what is there: Node takes a read-only file system for a directory that is not there when it makes several.
    let above = directory;
    while (!existsSync(above)) above = dirname(above);
    accessSync(above, constants.W_OK);
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "";
    throw new InstallError(`${directory} cannot be written to: ${reason}`, { cause });
  }
}
