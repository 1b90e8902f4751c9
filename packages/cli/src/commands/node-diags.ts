import { stat } from "node:fs/promises";
import { messageOf } from "@caracal/net";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { Bundle, runProgram } from "../diagnostics/bundle.ts";
import { runDirectory } from "../run-directory.ts";

/** What is run, what is said meanwhile, and the file its output goes to. */
interface Probe {
  readonly title?: string;
  readonly command: string;
  readonly file: string;
}

const probes: readonly Probe[] = [
  { command: "date", file: "date" },
  { command: "hostname", file: "hostname" },
  { command: "uname -a", file: "uname" },
  { title: "Dumping sockets", command: "ss -a -n", file: "netstat" },
  { title: "Dumping routes (IPv4)", command: "ip -4 route show table all", file: "ipv4_route" },
  { title: "Dumping routes (IPv6)", command: "ip -6 route show table all", file: "ipv6_route" },
  { title: "Dumping rules", command: "ip rule", file: "ip_rule" },
  { title: "Dumping interface info (IPv4)", command: "ip -4 addr", file: "ipv4_addr" },
  { title: "Dumping interface info (IPv6)", command: "ip -6 addr", file: "ipv6_addr" },
  { title: "Dumping interfaces", command: "ip -d link", file: "ip_link" },
  { title: "Dumping nftables", command: "nft list ruleset", file: "nftables" },
  { title: "Dumping iptables (IPv4)", command: "iptables-save -c", file: "ipv4_tables" },
  { title: "Dumping iptables (IPv6)", command: "ip6tables-save -c", file: "ipv6_tables" },
  { title: "Dumping ipsets", command: "ipset list", file: "ipsets" },
  {
    title: "Copying journal for calico-node.service",
    command: "journalctl -u calico-node.service --no-pager",
    file: "journalctl_calico_node",
  },
];

export const nodeDiags: Command = {
  name: "node diags",
  description: "Nothing leaves the machine: the archive stays in a temporary directory.",
  options: [{ name: "log-dir", value: "DIR", summary: "Where the logs are. (default /var/log/calico)" }],
  run: async (ctx, args) => {
    if (ctx.userId !== 0) throw new CliError("Need super user privileges: Operation not permitted");
    ctx.stdout.write("Collecting diagnostics\n");
    const bundle = await Bundle.create();
    ctx.stdout.write(`Using temp dir: ${bundle.path}\n`);
    for (const probe of probes) await take(ctx, bundle, probe);
    await bundle.add("sockets", `${(await runProgram("ls", ["-la", runDirectory(ctx.env)])).output}`);
    await copyLogs(ctx, bundle, args.text("log-dir") ?? "/var/log/calico");
    const path = await bundle.pack(ctx.now());
    ctx.stdout.write(
      `\nDiags saved to ${path}\nLook through it before you give it to others: it names addresses and programs of this machine.\n`,
    );
    return 0;
  },
};

async function take(ctx: CliContext, bundle: Bundle, { title, command, file }: Probe): Promise<void> {
  if (title !== undefined) ctx.stdout.write(`${title}\n`);
  const [program = "", ...args] = command.split(" ");
  const { isOk, output } = await runProgram(program, args);
  if (!isOk) ctx.stdout.write(`Failed to run command: ${command}\nError: ${output.trim()}\n`);
  await bundle.add(file, output);
}

async function copyLogs(ctx: CliContext, bundle: Bundle, directory: string): Promise<void> {
  const info = await stat(directory).catch(() => undefined);
  if (info?.isDirectory() !== true) {
    ctx.stdout.write(`No logs found in ${directory}; skipping log copying\n`);
    return;
  }
  ctx.stdout.write("Copying Calico logs\n");
  await bundle.copy(directory, "logs").catch((error: unknown) => {
    ctx.stdout.write(`Error copying log files: ${messageOf(error)}\n`);
  });
}
