import { BulkKernel } from "@caracal/dataplane";
import { Conntrack, KernelResolver, LinuxKernel, Rtnetlink, systemClock } from "@caracal/linux";
import type { SecretKey } from "@caracal/intent";
import { RouteProtocol } from "@caracal/netlink";
import { BirdBackend } from "../bird-backend/bird-backend.ts";
import type { NodeConfig } from "../config.ts";
import { ConnectionSweeper } from "../packets/connection-sweeper.ts";
import type { Log } from "../observe/log.ts";
import { BgpSupervisor } from "./bgp-supervisor.ts";
import { openSpeaker } from "./open-speaker.ts";
import { Routing, type RoutingOptions } from "./routing.ts";
import { ChecksumGuard } from "../tunnels/checksum-guard.ts";
import { TunnelKeeper } from "../tunnels/tunnel-keeper.ts";
import { SecretFiles } from "./secret-files.ts";

/** Routing with the real kernel and real sockets, and what they are seen through. */
export interface OpenRouting {
  readonly routing: Routing;
  readonly bgp: BgpSupervisor;
  readonly kernel: LinuxKernel;
  readonly tables: Rtnetlink;
  readonly resolver: KernelResolver;
  /** BIRD, where it speaks BGP in our speaker's place. */
  readonly bird: BirdBackend | undefined;
  readonly tunnels: TunnelKeeper;
}

function bulkKernel(kernel: LinuxKernel, log: Log): BulkKernel {
  const onUnsupported = (): void =>
    log.info({}, "the kernel has no next hop objects: thousands of new routes at once take it longer");
  return new BulkKernel({ kernel, clock: systemClock, onUnsupported });
}

/** Starts routing in this thread's network namespace; everything it opens is closed with `stack`. */
export function openRouting(
  options: Omit<
    RoutingOptions,
    "kernel" | "resolver" | "bgp" | "tunnels" | "isRestart" | "hasSecret" | "onIntent" | "bgpHasTunnels"
  >,
  { secrets: secretsAt, bird: birdAt, runDir }: Pick<NodeConfig, "secrets" | "bird" | "runDir">,
  stack: AsyncDisposableStack,
): OpenRouting {
  const { log, interfacePrefixes } = options;
  const kernel = stack.use(LinuxKernel.open());
  const tables = stack.use(Rtnetlink.open());
  const resolver = new KernelResolver(tables, () => RouteProtocol.RTPROT_BIRD);
  // Routes that an earlier run left are kept until the peers have told theirs again.
  const isRestart = tables.routes({ protocol: RouteProtocol.RTPROT_BIRD }).length > 0;
  const secrets: SecretFiles = stack.use(
    new SecretFiles({ ...secretsAt, onChange: () => routing.schedule() }),
  );
  const passwordOf = (secret: SecretKey): string | undefined => secrets.read(secret);
  const bgp = new BgpSupervisor({
    open: (settings, listener) => openSpeaker(settings, listener, { resolver, log }),
    isRestart,
    log,
    passwordOf,
  });
  let bird: BirdBackend | undefined;
  if (options.backend === "bird") {
    const onAbilities = (): void => routing.schedule();
    bird = new BirdBackend({ ...birdAt, runDir, interfacePrefixes, passwordOf, log, onAbilities });
    stack.defer(() => bird?.stop());
  }
  // Routing hears of devices only what others do, so they are made through an instance of their own.
  const devices = stack.use(LinuxKernel.open(undefined, ["links", "addresses", "neighbours"]));
  const checksums = stack.use(new ChecksumGuard({ clock: systemClock, log }));
  const tunnels = new TunnelKeeper({ kernel: devices, clock: systemClock, log, checksums });
  tunnels.start();
  stack.defer(() => tunnels.stop());
  const connections: ConnectionSweeper = stack.use(
    new ConnectionSweeper({
      conntrack: stack.use(new Conntrack()),
      isInUse: (address) => routing.isPodAddress(address),
      log,
    }),
  );
  const routing: Routing = new Routing({
    ...options,
    hasAddress: (address) => tables.addresses().some((one) => one.address === address),
    onAddressesGone: (addresses) => connections.forget(addresses),
    kernel: stack.use(bulkKernel(kernel, log)),
    resolver,
    bgp,
    tunnels,
    isRestart,
    hasSecret: (secret) => passwordOf(secret) !== undefined,
    onIntent: (intent) => bird?.apply(intent),
    bgpHasTunnels: () => bird?.hasTunnels ?? true,
  });
  routing.start();
  stack.defer(() => routing.stop());
  return { routing, bgp, kernel, tables, resolver, bird, tunnels };
}
