import type { Walk } from "@caracal/insight";
import type { TraceAnswer } from "./trace-answer.ts";

/** The walk as data; `docs/tracing.md` tells its members. */
export function traceJson({ from, to, packet, report, live, unknown }: TraceAnswer): unknown {
  const { forward, otherWays, back, isSymmetric } = report;
  return {
    from,
    to,
    packet,
    forward: walkJson(forward),
    otherWays,
    ...(back === undefined ? {} : { return: { ...walkJson(back), isSymmetric } }),
    ...(live === undefined ? {} : { live }),
    unknown,
  };
}

function walkJson({ hops, verdict, pathMtu }: Walk): { readonly [member: string]: unknown } {
  return { verdict, ...(pathMtu === undefined ? {} : { pathMtu }), hops };
}
