import { birdFiles, type BirdFiles } from "@caracal/confd";
import { type IntentInput, type IntentProblem, nodeIntent } from "@caracal/intent";
import type { Environment } from "../config.ts";
import { readConfig } from "../config.ts";
import { SecretFiles } from "../routing/secret-files.ts";
import { sha256 } from "../routing/digests.ts";

export interface RenderBirdOptions {
  /** The cluster; of affinities and endpoints only the node's count. */
  readonly cluster: Pick<IntentInput, "cluster" | "affinities" | "endpoints">;
  readonly node: string;
  /** The node daemon's environment: router ID, secrets, names of interfaces. */
  readonly env: Environment;
  /** For Calico's own BIRD, which knows IPIP tunnels. */
  readonly hasTunnels: boolean;
}

export type RenderBirdOutcome =
  | { readonly kind: "ok"; readonly files: BirdFiles; readonly problems: readonly IntentProblem[] }
  /** The environment is wrong, or the node speaks no BGP. */
  | { readonly kind: "failed"; readonly reasons: readonly string[] };

/** The configuration of BIRD for a node, as its daemon would write it. */
export function renderBird({ cluster, node, env, hasTunnels }: RenderBirdOptions): RenderBirdOutcome {
  const outcome = readConfig(env);
  if (outcome.kind === "problems") return { kind: "failed", reasons: outcome.problems };
  const { routerId, secrets: secretsAt, interfacePrefixes } = outcome.config;
  using secrets = new SecretFiles({ ...secretsAt, onChange: () => undefined });
  const intent = nodeIntent({
    ...cluster,
    node,
    settings: {
      sha256,
      hasSecret: (secret) => secrets.read(secret) !== undefined,
      ...(routerId === undefined ? {} : { routerId }),
    },
  });
  const files = birdFiles(intent, {
    hasTunnels,
    interfacePrefixes,
    passwordOf: (secret) => secrets.read(secret),
  });
  const { problems } = intent;
  if (files !== undefined) return { kind: "ok", files, problems };
  const own = problems.filter(({ about }) => about === `Node(${node})`);
  return { kind: "failed", reasons: own.map(({ about, message }) => `${about} ${message}`) };
}
