/**
 * A `BgpServer` in a process of its own, so that a test can run it inside a namespace and kill it.
 *
 *     node speaker-process.ts CONFIG SOCKET
 *
 * CONFIG is JSON (`SpeakerFile`). On SOCKET each line is a request, `state` or `{"origins": […]}` or `{"peers": […]}` or
 * `{"stop": graceful}`, and each gets one line of JSON back.
 */
import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { AsPath, type BestRouteChange, type PeerInput, defaultTimers } from "@caracal/bgp";
import { IpAddress, type IpFamily, Ipv4, Prefix } from "@caracal/net";
import { tcpOptions } from "@caracal/linux";
import { BgpServer, type PeerTransport } from "../src/index.ts";

/** A peer as a test writes it: addresses as text. */
export interface PeerFile {
  readonly name: string;
  readonly address: string;
  readonly asn: number;
  readonly port?: number;
  readonly source?: string;
  readonly otherFamilyAddress?: string;
  readonly passive?: boolean;
  readonly families?: readonly IpFamily[];
  readonly addPath?: boolean;
  readonly restartTimeS?: number | null;
  readonly reflectorClient?: boolean;
  readonly nextHop?: "default" | "self" | "keep";
  readonly holdTimeMs?: number;
  readonly transport?: PeerTransport;
}

export interface OriginFile {
  readonly prefix: string;
  readonly communities?: readonly number[];
  readonly med?: number;
}

export interface SpeakerFile {
  readonly routerId: string;
  readonly asn: number;
  readonly listen: readonly { readonly address?: string; readonly port: number }[];
  readonly restarting?: boolean;
  readonly tellsBestRoutes?: boolean;
  readonly rehearses?: boolean;
  readonly peers: readonly PeerFile[];
  readonly origins: readonly OriginFile[];
}

/** What `state` answers. */
export interface SpeakerState {
  readonly synced: boolean;
  readonly peers: readonly {
    readonly name: string;
    readonly state: string;
    readonly lastError: string;
    readonly capabilities: readonly string[];
    readonly as4: boolean;
    readonly addPathReceive: boolean;
    readonly addPathSend: boolean;
    readonly imported: number;
    readonly exported: number;
    readonly preferred: number;
    readonly stale: number;
    readonly since: number;
  }[];
  readonly routes: readonly {
    readonly prefix: string;
    readonly from: string | undefined;
    readonly pathId: number;
    readonly best: boolean;
    readonly stale: boolean;
    readonly nextHop: string | undefined;
    readonly asPath: string;
    readonly localPref: number | undefined;
    readonly med: number | undefined;
    readonly communities: readonly number[];
    readonly largeCommunities: readonly (readonly number[])[];
    readonly originatorId: string | undefined;
  }[];
  /** What a kernel would hold: `prefix via next-hop`. */
  readonly best: readonly string[];
}

if (import.meta.main) await main(process.argv[2] ?? "", process.argv[3] ?? "");

async function main(configPath: string, socketPath: string): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- written by the test next to this file
  const file: SpeakerFile = JSON.parse(readFileSync(configPath, "utf8"));
  const server = new BgpServer({
    routerId: ipv4(file.routerId),
    asn: file.asn,
    restarting: file.restarting ?? false,
    tellsBestRoutes: file.tellsBestRoutes ?? true,
    rehearses: file.rehearses ?? false,
    listen: file.listen.map(({ address, port }) =>
      address === undefined ? { port } : { address: ip(address), port },
    ),
    socketOptions: tcpOptions,
    onFact: (fact) =>
      process.stdout.write(
        `${JSON.stringify(fact, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value))}\n`,
      ),
  });
  const kernel = new Map<string, string>();
  server.onBestRoutes((changes) => {
    for (const change of changes) program(kernel, change);
  });
  await server.start();
  server.setOrigins(file.origins.map(origin));
  server.setPeers(file.peers.map(peer), transports(file.peers));
  rmSync(socketPath, { force: true });
  createServer((socket) => {
    createInterface({ input: socket }).on("line", (line) => {
      // oxlint-disable-next-line typescript/no-unsafe-assignment -- as above
      const request: { origins?: OriginFile[]; peers?: PeerFile[]; stop?: boolean } | "state" =
        JSON.parse(line);
      if (request === "state") {
        socket.write(`${JSON.stringify(state(server, kernel))}\n`);
        return;
      }
      if (request.origins !== undefined) server.setOrigins(request.origins.map(origin));
      if (request.peers !== undefined) server.setPeers(request.peers.map(peer), transports(request.peers));
      socket.write("{}\n");
      if (request.stop !== undefined) {
        void server.stop({ graceful: request.stop }).then(() => process.exit(0));
      }
    });
    socket.on("error", () => undefined);
  }).listen(socketPath);
}

function program(kernel: Map<string, string>, change: BestRouteChange): void {
  const key = Prefix.format(change.prefix);
  if (change.kind === "unreach") {
    kernel.delete(key);
    return;
  }
  const hops = change.nextHops.map((hop) => IpAddress.format(hop.address)).toSorted();
  kernel.set(key, `${key} via ${hops.length === 0 ? "self" : hops.join(",")}`);
}

function state(server: BgpServer, kernel: ReadonlyMap<string, string>): SpeakerState {
  return {
    synced: server.isSynced,
    peers: server.peers().map((one) => ({
      name: one.name,
      state: one.state,
      lastError: one.lastError,
      capabilities: one.session?.neighborCapabilities ?? [],
      as4: one.session?.as4 ?? false,
      addPathReceive: one.session?.addPathReceive ?? false,
      addPathSend: one.session?.addPathSend ?? false,
      imported: one.importedCount,
      exported: one.exportedCount,
      preferred: one.preferredCount,
      stale: one.staleCount,
      since: one.since,
    })),
    routes: server.routes().map((route) => ({
      prefix: Prefix.format(route.prefix),
      from: route.from === undefined ? undefined : IpAddress.format(route.from),
      pathId: route.pathId,
      best: route.best,
      stale: route.stale,
      nextHop:
        route.attributes.nextHop === undefined ? undefined : IpAddress.format(route.attributes.nextHop),
      asPath: AsPath.format(route.attributes.asPath),
      localPref: route.attributes.localPref,
      med: route.attributes.med,
      communities: route.attributes.communities ?? [],
      largeCommunities: route.attributes.largeCommunities ?? [],
      originatorId:
        route.attributes.originatorId === undefined ? undefined : Ipv4.format(route.attributes.originatorId),
    })),
    best: [...kernel.values()].toSorted(),
  };
}

function peer(file: PeerFile): PeerInput {
  return {
    name: file.name,
    address: ip(file.address),
    asn: file.asn,
    timers: {
      ...defaultTimers,
      connectDelayMs: 0,
      connectRetryMs: 1000,
      errorWaitMinMs: 500,
      errorWaitMaxMs: 2000,
      holdTimeMs: file.holdTimeMs ?? 240_000,
      keepaliveMs: (file.holdTimeMs ?? 240_000) / 3,
    },
    ...(file.port === undefined ? {} : { port: file.port }),
    ...(file.source === undefined ? {} : { sourceAddress: ip(file.source) }),
    ...(file.otherFamilyAddress === undefined ? {} : { otherFamilyAddress: ip(file.otherFamilyAddress) }),
    ...(file.passive === undefined ? {} : { passive: file.passive }),
    ...(file.families === undefined ? {} : { families: file.families }),
    ...(file.addPath === undefined ? {} : { addPathReceive: file.addPath, addPathSend: file.addPath }),
    ...(file.reflectorClient === undefined ? {} : { reflectorClient: file.reflectorClient }),
    ...(file.nextHop === undefined ? {} : { nextHop: file.nextHop }),
    ...(typeof file.restartTimeS === "number" ? { restartTimeS: file.restartTimeS } : {}),
  };
}

function transports(peers: readonly PeerFile[]): Map<string, PeerTransport> {
  return new Map(
    peers.flatMap(({ name, transport }) => (transport === undefined ? [] : [[name, transport]])),
  );
}

function origin({ prefix, ...rest }: OriginFile): {
  prefix: Prefix;
  communities?: readonly number[];
  med?: number;
} {
  const parsed = Prefix.parse(prefix);
  if (parsed === undefined) throw new RangeError(`${prefix} is no prefix`);
  return { prefix: parsed, ...rest };
}

function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === undefined) throw new RangeError(`${text} is no address`);
  return address;
}

function ipv4(text: string): Ipv4 {
  const address = Ipv4.parse(text);
  if (address === undefined) throw new RangeError(`${text} is no IPv4 address`);
  return address;
}
