/**
 * The standalone BGP speaker: a configuration file, a speaker on TCP that follows it, best routes in the kernel, and a
 * control socket to look at it and to have the file read again.
 *
 * Standards: those of `@caracal/bgp`. Not here: Kubernetes, pods, Calico's resources; the node daemon does those.
 */
export { type Problem } from "./config/located.ts";
export {
  type ConfigurationOutcome,
  formatProblem,
  readConfiguration,
  type SpeakerConfiguration,
} from "./config/read-config.ts";
export { type LogLevel } from "./log.ts";
export { runSpeaker, type RunSpeakerOptions } from "./run-speaker.ts";
