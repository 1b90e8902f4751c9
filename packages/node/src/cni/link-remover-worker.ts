/** The thread of `LinkRemover`: gets `RemovalRequest`s, deletes interfaces, answers with a `RemovalVerdict` for each. */
import { parentPort, workerData } from "node:worker_threads";
import { KernelError, Rtnetlink } from "@caracal/linux";
import { deleteLinkGroup, setLinkGroup } from "./link-group.ts";
import { endRequest, type RemovalRequest, type RemovalVerdict, type RemoverWord } from "./link-remover.ts";
import { podEndOf } from "./pod-end.ts";
import type { PairRemoval } from "./ports.ts";

/** The group of interfaces that are about to be deleted: "cali" as a number, so that nobody else uses it. */
const doomedGroup = 0x63616c69;

const namespace: unknown = workerData;
const rtnetlink = Rtnetlink.open(typeof namespace === "string" ? namespace : undefined);
let waiting: RemovalRequest[] = [];

parentPort?.on("message", (request: unknown) => {
  if (request === endRequest) {
    // Behind the removals that were asked for before.
    setImmediate(end);
    return;
  }
  if (!isRequest(request)) return;
  // What arrived while the kernel was at work goes together: its wait is as long for one as for a hundred.
  if (waiting.length === 0) setImmediate(removeWaiting);
  waiting.push(request);
});

function end(): void {
  rtnetlink.close();
  parentPort?.close();
}

function removeWaiting(): void {
  const requests = waiting;
  waiting = [];
  const judged = requests.map(doom);
  const doomed = judged.filter(isDoomed);
  if (doomed.length > 0) {
    say({ kind: "going", links: doomed.map(({ index, verdict: { id } }) => ({ id, index })) });
    removeGroup(doomed);
  }
  say({ kind: "verdicts", verdicts: judged.map(({ verdict }) => verdict) });
}

function say(word: RemoverWord): void {
  parentPort?.postMessage(word);
}

/** A request with what is to be answered to it. */
interface Judged {
  /** Of the interface that shall go, if it is there and may. */
  readonly index?: number;
  verdict: RemovalVerdict;
}

interface Doomed extends Judged {
  readonly index: number;
}

function isDoomed(judged: Judged): judged is Doomed {
  return judged.index !== undefined && judged.verdict.errno === "";
}

/** Puts the interface of a request among those that go. */
function doom({ id, name, only }: RemovalRequest): Judged {
  const judged = (removal: PairRemoval): Judged => ({ verdict: { id, removal, errno: "", detail: "" } });
  try {
    const link = rtnetlink.link(name);
    if (only !== undefined) {
      const podEnd = link === undefined ? undefined : podEndOf(link, only.netns);
      if (podEnd === undefined) return judged("unseen");
      if (podEnd !== only.ifname) return judged("another");
    }
    if (link === undefined) return judged("removed");
    rtnetlink.socket.request("link.group", setLinkGroup(link.index, doomedGroup));
    return { ...judged("removed"), index: link.index };
  } catch (error) {
    const one = judged("removed");
    refuse(one, error);
    return one;
  }
}

/** All at once; should the kernel refuse that, one by one. */
function removeGroup(doomed: readonly Doomed[]): void {
  try {
    rtnetlink.socket.request("link.delete", deleteLinkGroup(doomedGroup));
  } catch {
    for (const one of doomed) {
      try {
        rtnetlink.deleteLink(one.index);
      } catch (error) {
        refuse(one, error);
      }
    }
  }
}

function refuse(one: Judged, error: unknown): void {
  const { errno, detail } = KernelError.from("link.delete", error);
  // It went by itself, with its pod's namespace.
  if (errno !== "ENODEV") one.verdict = { ...one.verdict, errno, detail };
}

function isRequest(value: unknown): value is RemovalRequest {
  return typeof value === "object" && value !== null && "id" in value && "name" in value && "only" in value;
}
