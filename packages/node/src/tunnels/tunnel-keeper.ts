import {
  type Clock,
  type DesiredTunnel,
  type DeviceKernel,
  TunnelReconciler,
  type TunnelStatus,
} from "@caracal/dataplane";
import type { NodeMtus, Tunnel, TunnelIntent } from "@caracal/intent";
import type { Log } from "../observe/log.ts";
import type { ChecksumGuard } from "./checksum-guard.ts";
import { vxlanDevices } from "../routing/tunnel-routes.ts";

const ipipDevice = "tunl0";

export interface TunnelKeeperOptions {
  /** An instance of its own: routing must hear of what is done through it. */
  readonly kernel: DeviceKernel;
  readonly clock: Clock;
  readonly log: Log;
  /** Looks after the devices' checksums. */
  readonly checksums?: Pick<ChecksumGuard, "look">;
}

/** Routes leave a tunnel first, here and on other nodes, which may hear of a change later: so long it still takes their packets. */
const retireAfterMs = 10_000;

/** Has the node's tunnel devices made and kept as its intent asks, and tells of them in one line each. */
export class TunnelKeeper {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #reconciler: TunnelReconciler;
  readonly #checksums: Pick<ChecksumGuard, "look"> | undefined;
  /** Those that nobody wants any more, by name, until they go. */
  readonly #retiring = new Map<string, { readonly tunnel: Tunnel; readonly callOff: () => void }>();
  #intent: TunnelIntent | undefined;
  /** Devices were made, or others are wanted. */
  #isNew = false;
  #hasSettled = false;
  #mtus: NodeMtus | undefined;
  #told: ReadonlySet<string> = new Set();

  constructor({ kernel, clock, log, checksums }: TunnelKeeperOptions) {
    this.#log = log;
    this.#clock = clock;
    this.#checksums = checksums;
    this.#reconciler = new TunnelReconciler({
      kernel,
      clock,
      owns: [...vxlanDevices, ipipDevice],
      onEvent: ({ device, news, isRepair }) => {
        if (isRepair) log.warn({ device, news }, "tunnel mended");
        else log.info({ device, news }, "tunnel changed");
        this.#isNew = true;
      },
      onStatus: (status) => this.#tell(status),
    });
  }

  start(): void {
    this.#reconciler.start();
  }

  /** Devices stay: traffic outlives the daemon. */
  stop(): void {
    for (const { callOff } of this.#retiring.values()) callOff();
    this.#reconciler.stop();
  }

  /** The tunnels that the node shall have from now on. */
  apply(intent: TunnelIntent): void {
    const wanted = new Set<string>(intent.tunnels.map(({ name }) => name));
    for (const tunnel of this.#intent?.tunnels ?? []) if (!wanted.has(tunnel.name)) this.#retire(tunnel);
    for (const [name, { callOff }] of this.#retiring) {
      if (!wanted.has(name)) continue;
      callOff();
      this.#retiring.delete(name);
    }
    this.#intent = intent;
    this.#isNew = true;
    this.#hand();
  }

  /** The MTUs of devices for which the intent names none. */
  setMtus(mtus: NodeMtus): void {
    this.#mtus = mtus;
    this.#hand();
  }

  /** All that was wanted at first has been tried. */
  get hasSettled(): boolean {
    return this.#hasSettled;
  }

  get status(): TunnelStatus {
    return this.#reconciler.status;
  }

  /** Takes a full look now. */
  resync(): void {
    this.#reconciler.resync();
  }

  /** Waits until all that is wanted now was tried. */
  settled(): Promise<TunnelStatus> {
    return this.#reconciler.settled();
  }

  #hand(): void {
    if (this.#intent === undefined) return;
    const tunnels = [...this.#intent.tunnels, ...[...this.#retiring.values()].map(({ tunnel }) => tunnel)];
    this.#reconciler.apply(tunnels.map((tunnel) => withMtu(tunnel, this.#mtus)));
  }

  #retire(tunnel: Tunnel): void {
    const { name } = tunnel;
    if (this.#retiring.has(name)) return;
    const callOff = this.#clock.after(retireAfterMs, () => {
      this.#retiring.delete(name);
      this.#hand();
    });
    this.#retiring.set(name, { tunnel, callOff });
  }

  #tell({ problems, settled }: TunnelStatus): void {
    this.#hasSettled ||= settled;
    if (settled && this.#isNew && this.#intent !== undefined) {
      this.#isNew = false;
      this.#checksums?.look(this.#intent);
    }
    const told = this.#told;
    this.#told = new Set(problems.map(({ device, problem }) => `${device} ${problem}`));
    for (const { device, problem } of problems)
      if (!told.has(`${device} ${problem}`)) this.#log.error({ device, problem }, "tunnel trouble");
  }
}

function withMtu(tunnel: Tunnel, mtus: NodeMtus | undefined): DesiredTunnel {
  const found = tunnel.mtu ?? mtus?.[mtuName(tunnel)];
  return found === undefined ? tunnel : { ...tunnel, mtu: found };
}

function mtuName({ kind, family }: Tunnel): "ipip" | "vxlan4" | "vxlan6" {
  if (kind === "ipip") return "ipip";
  return family === 4 ? "vxlan4" : "vxlan6";
}
