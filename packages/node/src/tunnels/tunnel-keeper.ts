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

/** Has the node's tunnel devices made and kept as its intent asks, and tells of them in one line each. */
export class TunnelKeeper {
  readonly #log: Log;
  readonly #reconciler: TunnelReconciler;
  readonly #checksums: Pick<ChecksumGuard, "look"> | undefined;
  #intent: TunnelIntent | undefined;
  /** Devices were made, or others are wanted. */
  #isNew = false;
  #hasSettled = false;
  #mtus: NodeMtus | undefined;
  #told: ReadonlySet<string> = new Set();

  constructor({ kernel, clock, log, checksums }: TunnelKeeperOptions) {
    this.#log = log;
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
    this.#reconciler.stop();
  }

  /** The tunnels that the node shall have from now on. */
  apply(intent: TunnelIntent): void {
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
    this.#reconciler.apply(this.#intent.tunnels.map((tunnel) => withMtu(tunnel, this.#mtus)));
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
