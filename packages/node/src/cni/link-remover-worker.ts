/** The thread of `LinkRemover`: gets names of interfaces, deletes them, answers one `RemovalVerdict` for each. */
import { parentPort, workerData } from "node:worker_threads";
import { KernelError, Rtnetlink } from "@caracal/linux";
import type { RemovalVerdict } from "./link-remover.ts";

const namespace: unknown = workerData;
const rtnetlink = Rtnetlink.open(typeof namespace === "string" ? namespace : undefined);

parentPort?.on("message", (name: unknown) => {
  if (typeof name === "string") parentPort?.postMessage(remove(name));
});

function remove(name: string): RemovalVerdict {
  try {
    rtnetlink.deleteLink(name);
    return { name, errno: "", detail: "" };
  } catch (error) {
    const failure = KernelError.from("link.delete", error);
    return { name, errno: failure.errno, detail: failure.detail };
  }
}
