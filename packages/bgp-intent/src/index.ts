/**
 * A node's BGP intent as a speaker's configuration: neighbours, and the policies that their filters and the node's own
 * export rules make. Pure: the daemon runs a speaker by it, and a plan runs a whole cluster of them in memory.
 *
 * Not here: what the intent is (`@caracal/intent`), sockets and their passwords.
 */
export { explainExport, explainPolicy, type PolicyVerdict } from "./explain-policy.ts";
export { peerConfigs } from "./peer-configs.ts";
export { type LinkOf } from "./peer-filters.ts";
export { peerPolicies, policyNames } from "./peer-policies.ts";
