import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import type { Program } from "./program.ts";
import { type CommandResult, run } from "./run.ts";
import type { Testbed } from "./testbed.ts";

/** How to start etcd. */
export interface EtcdOptions {
  /** A data directory to keep over restarts; a fresh one unless told. */
  readonly directory?: string;
  /** Added to the command line. */
  readonly args?: readonly string[];
  /** Paths of PEM files: clients with certificates of that authority are served over TLS too. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** A running one-member etcd of Debian's `etcd-server` on loopback. */
export interface EtcdDaemon {
  readonly program: Program;
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** `https://127.0.0.1:PORT`, if it was asked for. */
  readonly tlsEndpoint: string | undefined;
  readonly directory: string;
  /** `etcdctl ARGUMENTS…` with API version 3 against this member. */
  readonly etcdctl: (...args: readonly string[]) => Promise<CommandResult>;
}

const PORT_ATTEMPTS = 3;

/** Starts etcd; resolves when it is healthy. A port lost to another program is retried with a new one. */
export async function startEtcd(bed: Testbed, options: EtcdOptions = {}): Promise<EtcdDaemon> {
  const directory = options.directory ?? bed.directory("etcd");
  for (let attempt = 1; ; attempt++) {
    const daemon = await startOnce(bed, directory, options);
    if (daemon.program.isRunning) return daemon;
    if (attempt === PORT_ATTEMPTS) throw new Error(`etcd ended at once:\n${daemon.program.output}`);
  }
}

async function startOnce(
  bed: Testbed,
  directory: string,
  { args: extra = [], tls }: EtcdOptions,
): Promise<EtcdDaemon> {
  const [clientPort, peerPort, tlsPort] = await freePorts(3);
  const tlsEndpoint = tls === undefined ? undefined : `https://127.0.0.1:${tlsPort}`;
  const endpoint = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = {
    name: "testbed",
    "data-dir": directory,
    "listen-client-urls": tlsEndpoint === undefined ? endpoint : `${endpoint},${tlsEndpoint}`,
    "advertise-client-urls": endpoint,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `testbed=${peer}`,
    ...(tls === undefined
      ? {}
      : {
          "trusted-ca-file": tls.ca,
          "cert-file": tls.cert,
          "key-file": tls.key,
          "client-cert-auth": "true",
        }),
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const program = await bed.start(["etcd", ...args, ...extra]);
  const etcdctl = (...rest: readonly string[]): Promise<CommandResult> =>
    run(["etcdctl", `--endpoints=${endpoint}`, ...rest], { env: { ETCDCTL_API: "3" } });
  await eventually(
    async () => {
      if (!program.isRunning) return true;
      const answer = await fetch(`${endpoint}/health`);
      return answer.ok && (await answer.text()).includes("true");
    },
    { what: "a healthy etcd" },
  );
  return { program, endpoint, tlsEndpoint, directory, etcdctl };
}
