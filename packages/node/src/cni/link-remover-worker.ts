/** The thread of `LinkRemover`: gets names of interfaces, deletes them, answers one `RemovalVerdict` for each. */
import { parentPort, workerData } from "node:worker_threads";
import { KernelError, Rtnetlink } from "@caracal/linux";
import { deleteLinkGroup, setLinkGroup } from "./link-group.ts";
import type { RemovalVerdict } from "./link-remover.ts";

/** The group of interfaces that are about to be deleted: "cali" as a number, so that nobody else uses it. */
const doomedGroup = 0x63616c69;

const namespace: unknown = workerData;
const rtnetlink = Rtnetlink.open(typeof namespace === "string" ? namespace : undefined);
let waiting: string[] = [];

parentPort?.on("message", (name: unknown) => {
  if (typeof name !== "string") return;
  // What arrived while the kernel was at work goes together: its wait is as long for one as for a hundred.
  if (waiting.length === 0) setImmediate(removeWaiting);
  waiting.push(name);
});

function removeWaiting(): void {
  const names = waiting;
  waiting = [];
  const refused = new Map<string, KernelError>();
  let count = 0;
  for (const name of names) {
    try {
      const link = rtnetlink.link(name);
      if (link === undefined) continue;
      rtnetlink.socket.request("link.group", setLinkGroup(link.index, doomedGroup));
      count += 1;
    } catch (error) {
      noteRefusal(refused, name, error);
    }
  }
  if (count > 0) removeGroup(names, refused);
  for (const name of names) parentPort?.postMessage(verdictOf(name, refused.get(name)));
}

/** All at once; should the kernel refuse that, one by one. */
function removeGroup(names: readonly string[], refused: Map<string, KernelError>): void {
  try {
    rtnetlink.socket.request("link.delete", deleteLinkGroup(doomedGroup));
  } catch {
    for (const name of names) {
      try {
        rtnetlink.deleteLink(name);
      } catch (error) {
        noteRefusal(refused, name, error);
      }
    }
  }
}

function noteRefusal(refused: Map<string, KernelError>, name: string, error: unknown): void {
  const failure = KernelError.from("link.delete", error);
  // It went by itself, with its pod's namespace.
  if (failure.errno !== "ENODEV") refused.set(name, failure);
}

function verdictOf(name: string, failure: KernelError | undefined): RemovalVerdict {
  return { name, errno: failure?.errno ?? "", detail: failure?.detail ?? "" };
}
