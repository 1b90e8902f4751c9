/**
 * The node daemon: everything that Calico's node container does, in one process. It prepares the datastore, keeps BGP
 * sessions and kernel routes as the cluster's resources ask, serves the CNI plugins, and shows its state to `calicoctl`,
 * `birdcl`, health checks and Prometheus.
 *
 * Standards: Calico's environment variables and sockets; CNI 0.3.1 to 1.1.0; BIRD 1.6's control protocol.
 * Not here: what is decided (`intent`, `bgp`, `ipam`), and how the kernel is spoken to (`linux`).
 */
export { runNode, type RunNodeOptions } from "./run-node.ts";
export { renderBird, type RenderBirdOptions, type RenderBirdOutcome } from "./bird-backend/render-bird.ts";
