/** How much a line matters: error = a person must act; warn = degraded, healing; info = state changed; debug = per message. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Constant message, facts in fields. */
export type Log = (level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>) => void;

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** One JSON object a line; lines below `least` are left out. */
export function jsonLog(write: (text: string) => void, least: LogLevel): Log {
  return (level, message, facts = {}) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return;
    write(`${JSON.stringify({ level, time: new Date().toISOString(), ...facts, msg: message })}\n`);
  };
}
