import { CliError } from "../cli-error.ts";
import type { Arguments, Command, Option } from "../command.ts";
import { programName } from "../help.ts";

/** Options and the variables that they stand for. */
const variables: readonly (Option & { readonly variable: string })[] = [
  { name: "name", value: "NAME", variable: "NODENAME", summary: "The node's name. (default the host's)" },
  { name: "ip", value: "IP", variable: "IP", summary: "IPv4 address of the node, autodetect or none." },
  { name: "ip6", value: "IP", variable: "IP6", summary: "IPv6 address of the node, autodetect or none." },
  { name: "as", value: "AS", variable: "AS", summary: "AS number of the node." },
  {
    name: "ip-autodetection-method",
    value: "METHOD",
    variable: "IP_AUTODETECTION_METHOD",
    summary: "How the IPv4 address is found.",
  },
  {
    name: "ip6-autodetection-method",
    value: "METHOD",
    variable: "IP6_AUTODETECTION_METHOD",
    summary: "How the IPv6 address is found.",
  },
  {
    name: "backend",
    value: "BACKEND",
    choices: ["bird", "none"],
    variable: "CALICO_NETWORKING_BACKEND",
    summary: "Who speaks BGP.",
  },
];

/** What Calico's command asks of Docker: the node is no container here. */
const containerOptions: readonly Option[] = [
  { name: "log-dir", value: "DIR", summary: "Of a container's.", isHidden: true },
  { name: "node-image", value: "IMAGE", summary: "Of a container's.", isHidden: true },
  { name: "felix-config", value: "FILE", summary: "Of a container's.", isHidden: true },
  { name: "init-system", summary: "Of a container's.", isHidden: true },
  { name: "disable-docker-networking", summary: "Of a container's.", isHidden: true },
];

export const nodeRun: Command = {
  name: "node run",
  description:
    "Configured by Calico's environment variables (NODENAME, IP, ETCD_ENDPOINTS, CALICO_IPV4POOL_CIDR, …); an option wins over its variable.",
  options: [
    ...variables,
    { name: "no-default-ippools", summary: "Make no pools when there are none." },
    { name: "dryrun", summary: "Print the command that would run, and run nothing." },
    ...containerOptions,
  ],
  run: async (ctx, args) => {
    const given = environmentOf(args);
    if (args.flag("dryrun")) {
      const words = Object.entries(given).map(([name, value]) => `${name}=${quote(value)}`);
      const command = [...words, programName(ctx.guise), "node", "run"].join(" ");
      ctx.stdout.write(`Use the following command to start the calico/node:\n\n${command}\n`);
      return 0;
    }
    for (const { name, value } of containerOptions) {
      if (value === undefined ? !args.flag(name) : args.text(name) === undefined) continue;
      ctx.stderr.write(`--${name} is of no use: the node is a process of this machine, not a container\n`);
    }
    if (ctx.userId !== 0) throw new CliError("Need super user privileges: Operation not permitted");
    const { signal } = ctx;
    const { runNode } = await import("@caracal/node");
    return runNode({ env: { ...ctx.env, ...given }, signal, stderr: ctx.stderr });
  },
};

function environmentOf(args: Arguments): Readonly<Record<string, string>> {
  const environment: Record<string, string> = {};
  for (const { name, variable, choices } of variables) {
    const text = args.text(name);
    if (text === undefined) continue;
    if (choices !== undefined && !choices.includes(text)) {
      throw new CliError(`Invalid --${name} '${text}'; it is ${choices.join(" or ")}`);
    }
    environment[variable] = text;
  }
  if (args.flag("no-default-ippools")) environment.NO_DEFAULT_POOLS = "true";
  return environment;
}

/** For a shell. */
function quote(text: string): string {
  return /^[\w.:/,=-]*$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
