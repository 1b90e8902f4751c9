import { setTimeout as delay } from "node:timers/promises";
import { keys, Revision, type Store, StoreError } from "@caracal/datastore";
import { addPod } from "./add-pod.ts";
import { type Attachment, handleOf, hostNameOf, nameAttachment } from "./attachment.ts";
import { checkNode } from "./check-node.ts";
import { checkPod } from "./check-pod.ts";
import { type CniAnswer, type CniCall, type PodName, readCall } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { formatResult } from "./cni-result.ts";
import { atLeast, supportedVersions } from "./cni-version.ts";
import { runIpamPlugin } from "./delegated-ipam.ts";
import { failureAnswer, storeTrouble } from "./failure-answer.ts";
import { type ContainerToForget, forgetContainer } from "./forget-container.ts";
import { deletePod } from "./delete-pod.ts";
import type { DeletionBacklog } from "./deletion-backlog.ts";
import { collectGarbage, deletionOf } from "./collect-garbage.ts";
import { statusNameOf, untilProgrammed } from "./endpoint-status.ts";
import { EndpointRecords, type RecordSources } from "./endpoint-records.ts";
import { assignForPlugin, checkForPlugin, releaseForPlugin } from "./ipam-plugin.ts";
import { IpamLocks } from "./ipam-locks.ts";
import { hostLocalDirectory, migrateHostLocal } from "./migrate-host-local.ts";
import { newMac } from "./new-mac.ts";
import { KeyedQueue, QueueFullError } from "./keyed-queue.ts";
import { answerVersion, type NetworkConfig, parseNetworkConfig } from "./network-config.ts";
import { type CniServices, type Operation, ownIpam } from "./operation.ts";
import { withPodCidrs } from "./pod-cidrs.ts";
import { type GatePatience, gatePatience, passGates } from "./readiness-gates.ts";
import type { CniHooks, PodFacts, PodIpam, PodKernel } from "./ports.ts";

/** What the daemon gives the engine. */
export interface CniEngineOptions {
  readonly node: string;
  /** Of the host ends of pods; `cali` unless told. */
  readonly interfacePrefix?: string;
  readonly store: Store;
  readonly ipam: PodIpam;
  readonly kernel: PodKernel;
  readonly hooks: CniHooks;
  /** False while the cluster's datastore is locked (ClusterInformation `datastoreReady: false`). */
  readonly isReady: () => boolean;
  readonly sources: RecordSources;
  /** Content of the mtu file, if it is there. */
  readonly defaultMtu?: () => number | undefined;
  readonly podFacts?: (pod: PodName) => Promise<PodFacts | undefined>;
  readonly namespaceFacts?: CniServices["namespaceFacts"];
  /** The pod's annotations, where the datastore knows them: runtimes need not hand them on then. */
  readonly podAnnotations?: PodAnnotations;
  /** Of the node's pods, by its orchestrator; for `host-local`, whose configuration may leave them to it. */
  readonly podCidrs?: () => readonly string[];
  readonly nodeWith?: CniServices["nodeWith"];
  readonly runIpamPlugin?: CniServices["runIpamPlugin"];
  readonly beforeStep?: CniServices["beforeStep"];
  /** Deletions that wait for a datastore that is away; without it they fail. */
  readonly deletions?: DeletionBacklog;
  /** Whether an endpoint is known to be this node's, also while the datastore is away. */
  readonly knowsEndpoint?: (namespace: string, name: string) => boolean;
  /** How long a call may take; shorter than the plugin waits, which waits shorter than the runtime. */
  readonly deadlineMs?: number;
  /** Where the daemon has written its node's name. */
  readonly nodeNameFile?: string;
  /** How the URLs of `readiness_gates` are asked; Calico's way unless told. */
  readonly gatePatience?: GatePatience;
  /** Where files say that endpoints' rules are in force, unless a configuration names another place; Calico's unless told. */
  readonly endpointStatusDirectory?: string;
  /** How long the lock of `ipam_lock_file` is waited for. */
  readonly lockPatienceMs?: number;
  /** Sees to it that the profile of a network without a policy of its own is there. */
  readonly ensureProfile?: (network: string, isKubernetes: boolean) => Promise<void>;
  /** How long an ADD asks again while the datastore is away, before it fails; not at all unless told. */
  readonly storeWaitMs?: number;
}

type PodAnnotations = (pod: PodName) => Promise<ReadonlyMap<string, string>>;

const defaultDeadlineMs = 60_000;
const defaultStatusDirectory = "/var/run/calico/endpoint-status";
/** Pauses between questions to a datastore that is away double from the first to the last of these. */
const firstPauseMs = 50;
const lastPauseMs = 2_000;
/** Calls under way at once: the datastore answers many together, the kernel one at a time. */
const runningMax = 64;
/** A node has some hundred pods; more than this many waiting is a storm that the runtimes shall repeat. */
const waitingMax = 4096;
/** Since the call began: what is left of the time that the plugin waits is for the answer's way. */
const policySetupUntilMs = 90_000;
const anyNetworks = ["0.0.0.0/0", "::/0"];
const startsAllTheSame = "the endpoint's policy is not in force yet: the pod starts all the same\n";
const ok: CniAnswer = { exitCode: 0, stdout: "" };

/**
 * The CNI plugins' work, inside the daemon. Calls about one pod run one after another, calls about different pods beside
 * each other. Nothing is remembered between calls: datastore and kernel say all, so a restart loses nothing.
 */
export class CniEngine {
  readonly #services: CniServices;
  readonly #store: Store;
  readonly #isReady: () => boolean;
  readonly #deadlineMs: number;
  readonly #storeWaitMs: number;
  readonly #deletions: DeletionBacklog | undefined;
  readonly #knowsEndpoint: (namespace: string, name: string) => boolean;
  readonly #podAnnotations: PodAnnotations | undefined;
  readonly #nodeNameFile: string | undefined;
  readonly #gatePatience: GatePatience;
  readonly #ensureProfile: CniEngineOptions["ensureProfile"];
  readonly #endpointStatusDirectory: string;
  readonly #locks: IpamLocks;
  readonly #queue = new KeyedQueue({ runningMax, waitingMax });

  constructor(options: CniEngineOptions) {
    this.#store = options.store;
    this.#isReady = options.isReady;
    this.#deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
    this.#storeWaitMs = options.storeWaitMs ?? 0;
    this.#deletions = options.deletions;
    this.#knowsEndpoint = options.knowsEndpoint ?? (() => false);
    this.#podAnnotations = options.podAnnotations;
    this.#nodeNameFile = options.nodeNameFile;
    this.#gatePatience = options.gatePatience ?? gatePatience;
    this.#ensureProfile = options.ensureProfile;
    this.#locks = new IpamLocks(options.lockPatienceMs);
    this.#endpointStatusDirectory = options.endpointStatusDirectory ?? defaultStatusDirectory;
    const { runIpamPlugin: run = runIpamPlugin, podCidrs = () => [] } = options;
    this.#services = {
      node: options.node,
      interfacePrefix: options.interfacePrefix ?? "cali",
      records: new EndpointRecords(options.store, options.sources),
      ipam: options.ipam,
      kernel: options.kernel,
      hooks: options.hooks,
      now: options.sources.now,
      newMac,
      isBusy: () => this.#queue.runningCount > 1,
      defaultMtu: options.defaultMtu ?? (() => undefined),
      podFacts: options.podFacts ?? (() => Promise.resolve(undefined)),
      namespaceFacts: options.namespaceFacts ?? (() => Promise.resolve(undefined)),
      nodeWith: options.nodeWith ?? (() => undefined),
      runIpamPlugin: (type, call, command) => {
        // It releases by the container: any network will do, also that of a node which has none any more.
        const cidrs = command === "DEL" ? () => [...podCidrs(), ...anyNetworks] : podCidrs;
        const stdin = type === "host-local" ? withPodCidrs(call.stdin, cidrs) : call.stdin;
        return run(type, { ...call, stdin }, command);
      },
      beforeStep: options.beforeStep ?? (() => undefined),
    };
  }

  /** The control socket's method `cni`. `signal` aborts when the plugin has gone: then a call that waits is dropped. */
  async handle(params: unknown, signal?: AbortSignal): Promise<CniAnswer> {
    const call = readCall(params);
    if (call !== undefined) return this.answer(call, signal);
    const error = new CniError(CniCode.invalidEnvironment, "the plugin's request cannot be read");
    return failureAnswer(error, "");
  }

  /** Never throws: a failure is an answer with a CNI error. */
  async answer(call: CniCall, signal?: AbortSignal): Promise<CniAnswer> {
    try {
      return await this.#dispatch(call, signal);
    } catch (error) {
      return failureAnswer(error, call.stdin);
    }
  }

  #dispatch(call: CniCall, signal: AbortSignal | undefined): Promise<CniAnswer> | CniAnswer {
    if (call.command === "VERSION") {
      return printed(`${JSON.stringify({ cniVersion: answerVersion(call.stdin), supportedVersions })}\n`);
    }
    if (call.command === "UPGRADE") return this.#upgrade(call);
    const config = parseNetworkConfig(call.stdin, call.command);
    switch (call.command) {
      case "ADD":
      case "DEL":
      case "CHECK":
        if (call.command === "CHECK") requireVersion(config, "0.4.0", call.command);
        return this.#serve(call, config, signal);
      case "STATUS":
        requireVersion(config, "1.1.0", call.command);
        return this.#statusOfAll(call, config);
      case "TEST":
        return this.#status();
      case "GC":
        requireVersion(config, "1.1.0", call.command);
        return this.#collect(call, config);
      default: {
        const details = `it is ${JSON.stringify(call.command.slice(0, 40))}`;
        throw new CniError(CniCode.invalidEnvironment, "CNI_COMMAND is none that this plugin knows", details);
      }
    }
  }

  async #serve(call: CniCall, config: NetworkConfig, signal: AbortSignal | undefined): Promise<CniAnswer> {
    if (call.plugin === "calico-ipam") {
      this.#requireReady(CniCode.tryAgainLater);
      return this.#locks.run(config.ipamLockFile, () =>
        this.#whileStoreIsAway(call, signal, () => this.#addresses(call, config, signal)),
      );
    }
    const begun = performance.now();
    checkNode(call, config.nodeName, { node: this.#services.node, nodeNameFile: this.#nodeNameFile });
    this.#requireReady(CniCode.tryAgainLater);
    if (call.command === "ADD" && config.readinessGates.length > 0) {
      await passGates(config.readinessGates, this.#gatePatience, signal);
    }
    const answer = await this.#locks.run(config.ipamLockFile, () =>
      this.#whileStoreIsAway(call, signal, () => this.#attachment(call, config, signal)),
    );
    if (call.command !== "ADD" || config.policySetup === undefined) return answer;
    const left = policySetupUntilMs - (performance.now() - begun);
    return (await this.#isProgrammed(call, config, left, signal))
      ? answer
      : { ...answer, stderr: startsAllTheSame };
  }

  /** Outside of the pod's turn: it can be deleted while it waits. */
  #isProgrammed(
    call: CniCall,
    config: NetworkConfig,
    mostMs: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { timeoutSeconds = 0, statusDirectory } = config.policySetup ?? {};
    const directory = statusDirectory ?? this.#endpointStatusDirectory;
    const name = statusNameOf(nameAttachment(call, config, this.#services));
    return untilProgrammed(directory, name, Math.min(timeoutSeconds * 1000, mostMs), signal);
  }

  /**
   * Repeats an ADD, which any attempt may have left half done, while the datastore is away: it is back sooner than the
   * runtime's next call. Between attempts nobody's turn is held, so that pods can be deleted meanwhile.
   */
  async #whileStoreIsAway(
    { command }: CniCall,
    signal: AbortSignal | undefined,
    work: () => Promise<CniAnswer>,
  ): Promise<CniAnswer> {
    const until = performance.now() + (command === "ADD" ? this.#storeWaitMs : 0);
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, lastPauseMs)) {
      try {
        return await work();
      } catch (error) {
        const isAway = error instanceof StoreError && error.code === "unavailable";
        // A full disk does not empty itself within a call.
        if (!isAway || error.isFull || signal?.aborted === true || performance.now() + pauseMs > until) {
          throw error;
        }
      }
      await delay(pauseMs, undefined, { ref: false });
    }
  }

  #attachment(call: CniCall, config: NetworkConfig, signal: AbortSignal | undefined): Promise<CniAnswer> {
    const attachment = nameAttachment(call, config, this.#services);
    return this.#run(attachment.hostName, signal, async (checkDeadline) => {
      // A runtime that has given up an ADD takes the pod for not made; a deletion is as good without anyone waiting.
      const checkWaited = (): void => {
        checkDeadline();
        refuseGone(signal);
      };
      const isAdd = call.command === "ADD";
      const operation = { call, config, attachment, checkDeadline: isAdd ? checkWaited : checkDeadline };
      switch (call.command) {
        case "ADD": {
          await this.#finishDeletion(call);
          if (!config.usesKubernetesPolicy) {
            await this.#ensureProfile?.(config.name, attachment.pod !== undefined);
          }
          const annotated = await this.#annotated(operation);
          return printed(formatResult(await addPod(this.#services, annotated), config.cniVersion));
        }
        case "CHECK":
          await checkPod(this.#services, await this.#annotated(operation));
          return ok;
        default:
          await this.#orPostponed(
            call,
            () => this.#knows(attachment) || this.#deletions?.find(call) !== undefined,
            () => deletePod(this.#services, operation),
          );
          return ok;
      }
    });
  }

  /**
   * A pod that the daemon knows can go while the datastore is away: its interface is gone, and what the datastore holds of
   * it is removed when that is back.
   */
  async #orPostponed(call: CniCall, isKnown: () => boolean, work: () => Promise<void>): Promise<void> {
    const mayWait = isKnown();
    try {
      await work();
    } catch (error) {
      const isAway = error instanceof StoreError && error.code === "unavailable";
      if (!isAway || !mayWait || this.#deletions === undefined) throw error;
      this.#deletions.keep(call, storeTrouble(error));
      return;
    }
    this.#deletions?.remove(call);
  }

  #knows(attachment: Attachment): boolean {
    const { endpointNamespace, endpointName, hostName, netns, ifname } = attachment;
    if (this.#deletions === undefined) return false;
    if (this.#services.records.remembers(attachment)) return true;
    if (this.#knowsEndpoint(endpointNamespace, endpointName)) return true;
    return netns !== "" && this.#services.kernel.podEnd(hostName, netns) === ifname;
  }

  /** A deletion that was answered must not be done to what comes after it. In its pod's turn. */
  async #finishDeletion(call: CniCall): Promise<void> {
    const waiting = this.#deletions?.find(call);
    if (waiting === undefined) return;
    const config = parseNetworkConfig(waiting.stdin, "DEL");
    if (waiting.plugin === "calico-ipam") {
      await releaseForPlugin(this.#services, waiting, config);
    } else {
      const attachment = nameAttachment(waiting, config, this.#services);
      await deletePod(this.#services, { call: waiting, config, attachment, checkDeadline: () => undefined });
    }
    this.#deletions?.remove(waiting);
  }

  /**
   * Does what was postponed, each deletion in its pod's turn; says whether nothing is left. Ends early while the datastore
   * is away or locked.
   */
  async finishDeletions(): Promise<boolean> {
    for (const call of this.#deletions?.calls ?? []) {
      if (!this.#isReady()) return false;
      try {
        await this.#run(this.#turnOf(call), undefined, async () => {
          await this.#finishDeletion(call);
          return ok;
        });
      } catch (error) {
        if (error instanceof StoreError || error instanceof QueueFullError) return false;
        // This one may never succeed, as with a plugin that is gone; the others shall.
      }
    }
    return (this.#deletions?.calls.length ?? 0) === 0;
  }

  /** Calls of one turn come one after another. */
  #turnOf(call: CniCall): string {
    const config = parseNetworkConfig(call.stdin, call.command);
    return call.plugin === "calico-ipam"
      ? `ipam ${handleOf(config.name, call.containerId)}`
      : nameAttachment(call, config, this.#services).hostName;
  }

  /** Work about a pod while no call about it is under way. Throws `QueueFullError` when too much waits. */
  inTurnOf<Result>(pod: PodName, work: () => Promise<Result>): Promise<Result> {
    return this.#queue.run(hostNameOf(pod, "", this.#services.interfacePrefix), work);
  }

  /** Removes what is left of a container whose DEL will not come; false when it has not gone after all. */
  forget(container: ContainerToForget, isGone: () => boolean): Promise<boolean> {
    const inTurn = (hostName: string, work: () => Promise<boolean>) => this.#queue.run(hostName, work);
    return forgetContainer(this.#services, container, inTurn, isGone);
  }

  /** With the annotations that the datastore knows of the pod; what the runtime hands on is as old as the call. */
  async #annotated(operation: Operation): Promise<Operation> {
    const { pod } = operation.attachment;
    if (pod === undefined || this.#podAnnotations === undefined) return operation;
    const podAnnotations = new Map([
      ...operation.config.podAnnotations,
      ...(await this.#podAnnotations(pod)),
    ]);
    return { ...operation, config: { ...operation.config, podAnnotations } };
  }

  #addresses(call: CniCall, config: NetworkConfig, signal: AbortSignal | undefined): Promise<CniAnswer> {
    return this.#run(`ipam ${handleOf(config.name, call.containerId)}`, signal, async () => {
      switch (call.command) {
        case "ADD":
          await this.#finishDeletion(call);
          return printed(
            formatResult(await assignForPlugin(this.#services, call, config), config.cniVersion),
          );
        case "CHECK":
          await checkForPlugin(this.#services, call, config);
          return ok;
        default:
          // The interface is another plugin's, so nothing here tells whether the container is known; a release harms nobody.
          await this.#orPostponed(
            call,
            () => true,
            () => releaseForPlugin(this.#services, call, config),
          );
          return ok;
      }
    });
  }

  /** STATUS: can an ADD be served now? The datastore is asked, because it is what an ADD fails for. */
  async #status(): Promise<CniAnswer> {
    this.#requireReady(CniCode.notAvailable);
    try {
      await this.#withDeadline(this.#askStore());
    } catch (cause) {
      const details = cause instanceof Error ? cause.message : "";
      throw new CniError(CniCode.notAvailable, storeTrouble(cause), details, { cause });
    }
    return ok;
  }

  /** An ADD needs the IPAM plugin too, and it has to be asked for itself (CNI 1.1.0, "STATUS"). */
  async #statusOfAll(call: CniCall, { ipam: { type } }: NetworkConfig): Promise<CniAnswer> {
    const answer = await this.#status();
    if (type !== ownIpam) await this.#services.runIpamPlugin(type, call, "STATUS");
    return answer;
  }

  /** Where it can be asked without writing anything, also whether it could be written to: a revision that no entry has. */
  async #askStore(): Promise<void> {
    const key = keys.resource("clusterinformations", "default");
    if (this.#store.transact === undefined) await this.#store.get(key);
    else await this.#store.update(key, "", Revision.of("0"));
  }

  /** `calico-ipam -upgrade`: the arguments are host-local's directory, if it is not the usual one. */
  async #upgrade({ args }: CniCall): Promise<CniAnswer> {
    this.#requireReady(CniCode.tryAgainLater);
    const directory = args === "" ? hostLocalDirectory : args;
    const { assigned, forgotten } = await migrateHostLocal(this.#services, directory);
    const rest = forgotten === 0 ? "" : `, ${forgotten} of no endpoint forgotten`;
    return printed(`addresses of host-local in ${directory}: ${assigned} taken over${rest}\n`);
  }

  async #collect(call: CniCall, config: NetworkConfig): Promise<CniAnswer> {
    this.#requireReady(CniCode.tryAgainLater);
    // An orphan is deleted in its pod's turn, like a DEL.
    const inTurn = (
      orphan: Attachment,
      remove: (operation: Operation) => Promise<void>,
    ): Promise<CniAnswer> =>
      this.#run(orphan.hostName, undefined, async (checkDeadline) => {
        await remove({ call: deletionOf(call, orphan), config, attachment: orphan, checkDeadline });
        return ok;
      });
    await collectGarbage(this.#services, call, config, inTurn);
    return ok;
  }

  #run(
    key: string,
    signal: AbortSignal | undefined,
    work: (checkDeadline: () => void) => Promise<CniAnswer>,
  ): Promise<CniAnswer> {
    let late = false;
    const checkDeadline = (): void => {
      if (late) throw new CniError(CniCode.tryAgainLater, "the call was given up: it took too long");
    };
    const queued = this.#queue.run(key, async () => {
      // Nobody waits any more: a plugin that was killed while its call stood in line, or the deadline has passed.
      refuseGone(signal);
      checkDeadline();
      return work(checkDeadline);
    });
    return this.#withDeadline(queued, () => {
      late = true;
    });
  }

  /** Work goes on after the deadline until its next step, in its pod's turn: what comes after waits for that. */
  async #withDeadline<Result>(work: Promise<Result>, onLate: () => void = () => undefined): Promise<Result> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      onLate();
      const seconds = Math.round(this.#deadlineMs / 1000);
      late.reject(
        new CniError(CniCode.tryAgainLater, `the datastore or the kernel did not answer within ${seconds} s`),
      );
    }, this.#deadlineMs);
    // A daemon that is otherwise done need not wait for a call that is stuck.
    timer.unref();
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #requireReady(code: number): void {
    if (!this.#isReady()) throw new CniError(code, "Calico is currently not ready to process requests");
  }
}

function refuseGone(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CniError(CniCode.tryAgainLater, "the plugin has gone");
}

function requireVersion(config: NetworkConfig, floor: "0.4.0" | "1.1.0", command: string): void {
  if (atLeast(config.cniVersion, floor)) return;
  const message = `${command} is of CNI ${floor} and later, and the configuration is of ${config.cniVersion}`;
  throw new CniError(CniCode.incompatibleVersion, message);
}

function printed(stdout: string): CniAnswer {
  return { exitCode: 0, stdout };
}
