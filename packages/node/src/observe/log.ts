import { type DestinationStream, type Logger, pino } from "pino";

/** The daemon's log: one JSON object a line on stdout; facts in fields, a constant message. */
export type Log = Logger;

/** Opens the log. `stream` is where lines go; standard output unless told. */
export function openLog(level: string, node: string, stream?: DestinationStream): Log {
  const options = {
    level,
    base: { node },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string): object => ({ level: label }) },
    redact: { paths: ["password", "*.password"], censor: "[redacted]" },
  };
  return stream === undefined ? pino(options) : pino(options, stream);
}
