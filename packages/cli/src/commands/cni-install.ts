import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { PathOutcome } from "@caracal/cni";
import { messageOf } from "@caracal/net";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";

/** How often certificates and tokens are looked at again with `SLEEP=true`. */
const followEveryMs = 10_000;
/** How long another installation is waited for; it takes a fraction of a second. */
const busyPauseMs = 200;
const busyAttempts = 50;

export const cniInstall: Command = {
  name: "cni install",
  description: [
    "Does what Calico's install-cni does, with its environment variables: CNI_NETWORK_CONFIG or CNI_NETWORK_CONFIG_FILE (a",
    "template with its placeholders; without one Caracal's own is taken), CNI_CONF_NAME, CNI_OLD_CONF_NAME, CNI_NET_DIR, CNI_MTU,",
    "UPDATE_CNI_BINARIES, SKIP_CNI_BINARIES, TLS_ASSETS_DIR, KUBERNETES_NODE_NAME, KUBERNETES_SERVICE_HOST and _PORT,",
    "DATASTORE_TYPE, ETCD_ENDPOINTS, LOG_LEVEL and others. What was there before is kept for `caracal cni uninstall`.",
    "With SLEEP=true, the default in Calico's pod, it stays, and follows changes of certificates and tokens until it is told to stop.",
  ].join("\n"),
  options: [
    { name: "bin-dir", value: "DIR", summary: "Where the plugins go. (default /opt/cni/bin)" },
    { name: "net-dir", value: "DIR", summary: "Where the configuration goes. (default /etc/cni/net.d)" },
  ],
  run: async (ctx, args) => {
    const cni = await import("@caracal/cni");
    const binDirectory = args.text("bin-dir");
    const netDirectory = args.text("net-dir");
    const outcome = cni.readInstallSettings({
      env: ctx.env,
      hostName: hostname(),
      readFile: (path) => readFileSync(path, "utf8"),
      exists: existsSync,
      isWritable,
      ...(binDirectory !== undefined && { binDirectory }),
      ...(netDirectory !== undefined && { netDirectory }),
    });
    if (outcome.kind === "invalid") throw new CliError(outcome.problems.join("\n"));
    const { settings } = outcome;
    const { directory, form, reason } = cni.buildPlugins();
    const install = (isFollowing: boolean) =>
      whenFree(ctx, "installed", () => cni.installPlugins(settings, directory, isFollowing));
    for (const path of await install(false)) ctx.stdout.write(outcomeLine(path));
    const others = cni.configurationsBefore(settings);
    if (others.length > 0) {
      const note = `${settings.netDirectory} has ${others.join(", ")} too: a runtime that takes the first by name takes that`;
      ctx.stderr.write(`${note}\n`);
    }
    const slower = form === "native" ? "" : ` on Node (${reason ?? "no native form"})`;
    ctx.stdout.write(`CNI plugins installed${slower}; 'caracal cni uninstall' puts back what was there\n`);
    if (settings.staysAndFollows) await follow(ctx, () => install(true));
    return 0;
  },
};

/** In turn with other installations on this host. What is refused or fails becomes an error of the command. */
export async function whenFree<Result>(ctx: CliContext, done: string, work: () => Result): Promise<Result> {
  const { InstallBusyError } = await import("@caracal/cni");
  for (let attempt = 1; ; attempt += 1) {
    try {
      return work();
    } catch (error) {
      const comesAgain = error instanceof InstallBusyError && attempt < busyAttempts && !ctx.signal.aborted;
      if (!comesAgain) throw new CliError(`CNI plugins not ${done}: ${messageOf(error)}`);
      await ctx.sleep(busyPauseMs, ctx.signal);
    }
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** `/opt/cni/bin/calico: installed`. */
export function outcomeLine({ path, kind, detail }: PathOutcome): string {
  return `${path}: ${kind === "up-to-date" ? "up to date" : kind}${detail === undefined ? "" : ` (${detail})`}\n`;
}

/** A failure is told and tried again: the runtime goes on with what is there. */
async function follow(ctx: CliContext, install: () => Promise<readonly PathOutcome[]>): Promise<void> {
  let lastFailure = "";
  for (;;) {
    await ctx.sleep(followEveryMs, ctx.signal);
    if (ctx.signal.aborted) return;
    try {
      for (const path of await install()) if (path.kind === "installed") ctx.stdout.write(outcomeLine(path));
      lastFailure = "";
    } catch (error) {
      const failure = messageOf(error);
      if (failure !== lastFailure) ctx.stderr.write(`${failure}\n`);
      lastFailure = failure;
    }
  }
}
