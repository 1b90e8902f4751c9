import { LinuxKernel, Rtnetlink } from "@caracal/linux";
import type { SecretKey } from "@caracal/intent";
import { RouteProtocol } from "@caracal/netlink";
import { BgpSupervisor } from "./bgp-supervisor.ts";
import { KernelResolver } from "./kernel-resolver.ts";
import { openSpeaker } from "./open-speaker.ts";
import { Routing, type RoutingOptions } from "./routing.ts";
import { SecretFiles, type SecretFilesOptions } from "./secret-files.ts";

/** Routing with the real kernel and real sockets, and what they are seen through. */
export interface OpenRouting {
  readonly routing: Routing;
  readonly bgp: BgpSupervisor;
  readonly kernel: LinuxKernel;
  readonly tables: Rtnetlink;
  readonly resolver: KernelResolver;
}

/** Starts routing in this thread's network namespace; everything it opens is closed with `stack`. */
export function openRouting(
  options: Omit<RoutingOptions, "kernel" | "resolver" | "bgp" | "isRestart" | "hasSecret">,
  secretsAt: Omit<SecretFilesOptions, "onChange">,
  stack: AsyncDisposableStack,
): OpenRouting {
  const { log } = options;
  const kernel = stack.use(LinuxKernel.open());
  const tables = stack.use(Rtnetlink.open());
  const resolver = new KernelResolver(tables);
  // Routes that an earlier run left are kept until the peers have told theirs again.
  const isRestart = tables.routes({ protocol: RouteProtocol.RTPROT_BIRD }).length > 0;
  const secrets: SecretFiles = stack.use(
    new SecretFiles({ ...secretsAt, onChange: () => routing.schedule() }),
  );
  const bgp = new BgpSupervisor({
    open: (settings, listener) => openSpeaker(settings, listener, { resolver, log }),
    isRestart,
    log,
    linkOf: (nextHop) => resolver.path(nextHop)?.interfaceName,
    passwordOf: (secret) => secrets.read(secret),
  });
  const hasSecret = (secret: SecretKey): boolean => secrets.read(secret) !== undefined;
  const routing: Routing = new Routing({ ...options, kernel, resolver, bgp, isRestart, hasSecret });
  routing.start();
  stack.defer(() => routing.stop());
  return { routing, bgp, kernel, tables, resolver };
}
