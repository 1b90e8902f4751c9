import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@caracal/dataplane";
import type { WorkloadEndpoint } from "@caracal/resources";
import { endpointStatusFile } from "../cni/endpoint-status.ts";
import type { Log } from "../observe/log.ts";

export interface EndpointStatusFilesOptions {
  readonly directory: string;
  /** The node's endpoints, or `undefined` while they are not all known. */
  readonly endpoints: () => readonly WorkloadEndpoint[] | undefined;
  /** Routes and rules are in the kernel as the endpoints that are known want them. */
  readonly isProgrammed: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Changes come in crowds: so long they are gathered. */
const gatherMs = 20;
/** Pauses between looks at what is not programmed yet double from the first to the last of these. */
const firstPauseMs = 25;
const lastPauseMs = 1_000;

/**
 * A file for each endpoint of the node whose routes and rules are in the kernel, as Felix keeps them: CNI plugins that are told
 * to wait for an endpoint's policy wait for its file.
 */
export class EndpointStatusFiles implements Disposable {
  readonly #options: EndpointStatusFilesOptions;
  /** Container of each file that is there. */
  readonly #written = new Map<string, string>();
  /** Containers that have just been set up: until the datastore shows them, it shows who was there before. */
  readonly #awaited = new Map<string, string>();
  #callOff: (() => void) | undefined;
  #isGathering = false;
  #pauseMs = firstPauseMs;
  #hasFailed = false;

  /** Files of earlier daemons say nothing of this one's rules. */
  constructor(options: EndpointStatusFilesOptions) {
    this.#options = options;
    this.#attempt(() => {
      mkdirSync(options.directory, { recursive: true });
      for (const name of readdirSync(options.directory))
        rmSync(join(options.directory, name), { force: true });
    });
  }

  /** Looks soon; many calls before that make one look. */
  schedule(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#pauseMs = firstPauseMs;
    this.#lookIn(gatherMs);
  }

  /** A container has been set up: its file is yet to come. */
  renew(file: string, containerId: string): void {
    if (this.#written.get(file) === containerId) return;
    this.#remove(file);
    this.#awaited.set(file, containerId);
    this.schedule();
  }

  /** An endpoint is gone. */
  forget(file: string): void {
    this.#awaited.delete(file);
    this.#remove(file);
  }

  [Symbol.dispose](): void {
    this.#callOff?.();
  }

  #lookIn(delayMs: number): void {
    this.#callOff?.();
    this.#callOff = this.#options.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    this.#callOff = undefined;
    this.#isGathering = false;
    const endpoints = this.#options.endpoints();
    if (endpoints === undefined) return;
    const wanted = new Map<string, WorkloadEndpoint>();
    for (const endpoint of endpoints) {
      const file = fileOf(endpoint);
      if (file === undefined) continue;
      const awaited = this.#awaited.get(file);
      if (awaited === undefined || awaited === containerOf(endpoint)) wanted.set(file, endpoint);
    }
    for (const [file, containerId] of this.#written) {
      const endpoint = wanted.get(file);
      if (endpoint === undefined || containerOf(endpoint) !== containerId) this.#remove(file);
    }
    const missing = [...wanted].filter(([file]) => !this.#written.has(file));
    if (missing.length === 0) return;
    if (!this.#options.isProgrammed()) {
      this.#lookIn(this.#pauseMs);
      this.#pauseMs = Math.min(this.#pauseMs * 2, lastPauseMs);
      return;
    }
    for (const [file, endpoint] of missing) this.#write(file, endpoint);
  }

  #write(file: string, endpoint: WorkloadEndpoint): void {
    const { interfaceName, mac, ipNetworks = [] } = endpoint.spec;
    const isIpv6 = (network: string): boolean => network.includes(":");
    const text = JSON.stringify({
      ifaceName: interfaceName,
      mac,
      ipv4Nets: ipNetworks.filter((network) => !isIpv6(network)),
      ipv6Nets: ipNetworks.filter(isIpv6),
    });
    this.#attempt(() => writeFileSync(join(this.#options.directory, file), text));
    this.#written.set(file, containerOf(endpoint));
    this.#awaited.delete(file);
  }

  #remove(file: string): void {
    if (!this.#written.delete(file)) return;
    this.#attempt(() => rmSync(join(this.#options.directory, file), { force: true }));
  }

  /** Who waits for a file goes on without it after a while: no reason to end the daemon. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!this.#hasFailed)
        this.#options.log.warn({ err: error }, "the files of endpoints' status cannot be kept");
      this.#hasFailed = true;
    }
  }
}

function containerOf({ spec }: WorkloadEndpoint): string {
  return spec.containerID ?? "";
}

/** All endpoints are gone through when one changes. */
const files = new WeakMap<WorkloadEndpoint, string | undefined>();

function fileOf(endpoint: WorkloadEndpoint): string | undefined {
  if (!files.has(endpoint)) files.set(endpoint, fileNameOf(endpoint));
  return files.get(endpoint);
}

function fileNameOf({ metadata, spec }: WorkloadEndpoint): string | undefined {
  const workload = spec.pod ?? spec.containerID ?? spec.workload;
  const { orchestrator, endpoint } = spec;
  if (workload === undefined || orchestrator === undefined || endpoint === undefined) return undefined;
  return endpointStatusFile({ orchestrator, namespace: metadata.namespace ?? "default", workload, endpoint });
}
