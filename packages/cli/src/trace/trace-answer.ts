import type { LiveResult, TraceReport } from "@caracal/insight";

/** All that is told about a trace. */
export interface TraceAnswer {
  /** The two ends, as text. */
  readonly from: string;
  readonly to: string;
  /** What is sent: `ICMP echo, 84 bytes`. */
  readonly packet: string;
  readonly report: TraceReport;
  /** What became of a real packet, if one was sent. */
  readonly live?: LiveResult;
  /** Whom nobody could ask, and what was done instead. */
  readonly unknown: readonly string[];
}
