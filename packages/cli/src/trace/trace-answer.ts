import type { LiveResult, PacketSpec, PlaceName, TraceReport } from "@caracal/insight";

/** All that is told about a trace. */
export interface TraceAnswer {
  readonly from: AnswerEnd;
  readonly to: AnswerEnd;
  readonly packet: PacketSpec;
  readonly report: TraceReport;
  /** What became of a real packet, if one was sent. */
  readonly live?: LiveResult;
  /** Whom nobody could ask, and what was done instead. */
  readonly unknown: readonly string[];
}

/** An end of the walk. */
export interface AnswerEnd {
  readonly name: string;
  /** Absent: its kernel did not come to choose one. */
  readonly address?: string;
  /** Absent: outside of the cluster. */
  readonly place?: PlaceName;
}
