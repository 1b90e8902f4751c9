import { type PolicyRoute } from "../export/policy.ts";
import { type PeerType } from "./filter.ts";

/** Where a filter stands. */
export interface FilterSession {
  readonly direction: "import" | "export";
  /** What the peer is to us. */
  readonly peerType: PeerType;
  /**
   * The link that leads to a route's next hop. The answers must stay the same while the policy is in use: compile anew
   * when they change. Absent: no `interfaces` matches.
   */
  readonly linkOf?: (route: PolicyRoute) => string | undefined;
}
