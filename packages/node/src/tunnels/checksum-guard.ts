import type { Clock } from "@caracal/dataplane";
import type { TunnelIntent, VxlanTunnel } from "@caracal/intent";
import { type ChecksumProbe, type ChecksumVerdict, offload, probeTxChecksum } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import type { Log } from "../observe/log.ts";

/** Time for the device's routes to be there before the first probe. */
const firstProbeMs = 1_000;
/** Between probes of remote ends that do not answer. */
const retryMs = 30_000;
/** Remote ends that are asked in vain before it is left at that. */
const attemptsMax = 10;

export interface ChecksumGuardOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The real ones unless told. */
  readonly probe?: (probe: ChecksumProbe) => Promise<ChecksumVerdict>;
  readonly offload?: Pick<typeof offload, "readTxChecksum" | "setTxChecksum">;
}

interface DeviceState {
  verdict: ChecksumVerdict;
  attempts: number;
}

/**
 * Sees to it that packets through VXLAN arrive with sound checksums: some interfaces spoil those inside a tunnel that they are
 * left to fill in. Each device is probed once with real packets to remote ends; where they are spoiled the kernel makes the
 * sums, also after the device was made anew.
 */
export class ChecksumGuard implements Disposable {
  readonly #options: ChecksumGuardOptions;
  readonly #probe: (probe: ChecksumProbe) => Promise<ChecksumVerdict>;
  readonly #offload: Pick<typeof offload, "readTxChecksum" | "setTxChecksum">;
  readonly #states = new Map<string, DeviceState>();
  readonly #stop = new AbortController();
  #intent: TunnelIntent | undefined;
  #isProbing = false;
  #callOff: (() => void) | undefined;

  constructor(options: ChecksumGuardOptions) {
    this.#options = options;
    this.#probe = options.probe ?? probeTxChecksum;
    this.#offload = options.offload ?? offload;
  }

  /** These devices are there, or are there anew. */
  look(intent: TunnelIntent): void {
    this.#intent = intent;
    for (const tunnel of vxlanTunnels(intent)) this.#hold(tunnel);
    if (this.#next() !== undefined) this.#soon(firstProbeMs);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#callOff?.();
  }

  /** What is known to be so, or is said to be so, is so again. */
  #hold({ name, checksumOffload }: VxlanTunnel): void {
    const isOff = checksumOffload === false || this.#states.get(name)?.verdict === "broken";
    if (!isOff && checksumOffload !== true) return;
    try {
      if (this.#offload.readTxChecksum(name) === isOff) this.#offload.setTxChecksum(name, !isOff);
    } catch (error) {
      this.#options.log.warn({ err: error, device: name }, "checksums cannot be set");
    }
  }

  #soon(delayMs: number): void {
    if (this.#isProbing || this.#callOff !== undefined || this.#stop.signal.aborted) return;
    this.#callOff = this.#options.clock.after(delayMs, () => {
      this.#callOff = undefined;
      void this.#run();
    });
  }

  /** The next device whose state is not known, with a remote end that is reached through it. */
  #next(): { readonly tunnel: VxlanTunnel; readonly to: IpAddress; readonly from: IpAddress } | undefined {
    const intent = this.#intent;
    for (const tunnel of vxlanTunnels(intent)) {
      const { verdict = "unknown", attempts = 0 } = this.#states.get(tunnel.name) ?? {};
      if (verdict !== "unknown" || attempts >= attemptsMax || tunnel.checksumOffload !== undefined) continue;
      const gateways = (intent?.routes ?? []).flatMap((route) =>
        route.kind === "tunnel" && route.device === tunnel.name ? [route.gateway] : [],
      );
      const to = gateways[attempts % Math.max(1, gateways.length)];
      if (to !== undefined && tunnel.address !== undefined) return { tunnel, to, from: tunnel.address };
    }
    return undefined;
  }

  async #run(): Promise<void> {
    const next = this.#next();
    if (next === undefined) return;
    const { name } = next.tunnel;
    const state = this.#states.get(name) ?? { verdict: "unknown", attempts: 0 };
    this.#states.set(name, state);
    state.attempts += 1;
    this.#isProbing = true;
    const [from, to] = [IpAddress.format(next.from), IpAddress.format(next.to)];
    const { log } = this.#options;
    try {
      state.verdict = await this.#probe({ interfaceName: name, from, to, signal: this.#stop.signal });
    } catch (error) {
      log.warn({ err: error, device: name }, "checksums cannot be probed");
    } finally {
      this.#isProbing = false;
    }
    if (this.#stop.signal.aborted) return;
    if (state.verdict === "broken")
      log.warn(
        { device: name, probed: to },
        "an interface spoils checksums inside this tunnel: the kernel makes them",
      );
    else if (state.verdict === "sound") log.info({ device: name, probed: to }, "checksums arrive sound");
    if (this.#next() !== undefined) this.#soon(retryMs);
  }
}

function vxlanTunnels(intent: TunnelIntent | undefined): readonly VxlanTunnel[] {
  return (intent?.tunnels ?? []).filter((tunnel) => tunnel.kind === "vxlan");
}
