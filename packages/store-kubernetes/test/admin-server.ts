import type { KubeApiserver } from "@caracal/testbed";
import type { ApiServer } from "../src/index.ts";

/** How the all-powerful user reaches a server. */
export function adminOf({ url, ca, token }: KubeApiserver): ApiServer {
  const identity = { authorization: `Bearer ${token}` };
  return { url, ca, credentials: { present: async () => identity, forget: () => undefined } };
}
