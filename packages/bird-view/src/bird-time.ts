const shortFormMs = 20 * 3600 * 1000;

/** BIRD's time of a protocol or route: the clock for the last 20 hours, before that the date; local time. */
export function formatSince(atMs: number, nowMs: number): string {
  // BIRD falls back to the date for the future too, where a clock was set back.
  return nowMs - atMs < shortFormMs && atMs <= nowMs ? clock(new Date(atMs)) : day(new Date(atMs));
}

/** `2024-01-08 03:12:11`, local time. */
export function formatMoment(atMs: number): string {
  const date = new Date(atMs);
  return `${day(date)} ${clock(date)}`;
}

function clock(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
}

function day(date: Date): string {
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
