import type { KubeApiserver } from "@caracal/testbed";
import type { ApiServer } from "../src/index.ts";
/** How the all-powerful user reaches a server. */
export declare function adminOf({ url, ca, token }: KubeApiserver): ApiServer;
