/**
 * The CNI plugins `calico` and `calico-ipam` as executables: thin clients of the node daemon's control socket. Here is what
 * builds them, and what installs them on a host; native/plugin.c and src/plugin.ts are the two forms of the one program.
 *
 * A call's configuration may name the daemon's run directory as `caracal_run_dir`; otherwise the environment's CARACAL_RUN_DIR
 * does, otherwise it is /var/run/calico.
 *
 * Not here: what a call does (the daemon's `cni` engine).
 * Standards: CNI 0.1.0–1.1.0, command line and error codes.
 */
export { buildPlugins, type BuildOptions, type BuiltPlugins, type PluginForm } from "./build-plugins.ts";
export { InstallBusyError } from "./install/install-lock.ts";
export {
  configurationsBefore,
  InstallError,
  installPlugins,
  type PathOutcome,
} from "./install/install-plugins.ts";
export { InstallRecordError } from "./install/install-record.ts";
export {
  type InstallSettings,
  type KubernetesAccess,
  readInstallSettings,
  type SettingsOutcome,
  type SettingsSources,
} from "./install/install-settings.ts";
export { uninstallPlugins } from "./install/uninstall-plugins.ts";
