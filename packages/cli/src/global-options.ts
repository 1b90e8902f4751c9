import type { Option } from "./command.ts";

/** What `--log-level` may be. */
export const logLevels: readonly string[] = ["panic", "fatal", "error", "warn", "info", "debug"];

/** Options of every command. */
export const globalOptions: readonly Option[] = [
  { name: "help", short: "h", summary: "Show help and exit." },
  {
    name: "log-level",
    short: "l",
    value: "LEVEL",
    choices: logLevels,
    summary: "How much to log.",
  },
  { name: "context", value: "NAME", summary: "Context of the kubeconfig to use." },
  {
    name: "allow-version-mismatch",
    summary: "Go on although the client's and the cluster's versions differ.",
  },
];

/** Of every command that reads or writes the datastore. */
export const configOption: Option = {
  name: "config",
  short: "c",
  value: "FILE",
  summary: "Connection settings; without the file, the environment. (default /etc/calico/calicoctl.cfg)",
};

/** Of commands on namespaced resources. */
export const namespaceOption: Option = {
  name: "namespace",
  short: "n",
  value: "NAMESPACE",
  summary: "Namespace of the resource. (default default)",
};

/** Of commands that read resources from files. */
export const fileOptions: readonly Option[] = [
  {
    name: "filename",
    short: "f",
    value: "FILE",
    summary: "File or directory of YAML or JSON; - is standard input. May be given several times.",
  },
  { name: "recursive", short: "R", summary: "Read the directories inside the directory too." },
  { name: "skip-empty", summary: "Do not fail when there is no resource." },
];
