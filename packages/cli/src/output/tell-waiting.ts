import type { CliContext } from "../context.ts";

/** How often a person who waits hears that something still goes on. */
const tellEveryMs = 5_000;

/** Says on stderr what is being done while it lasts, from some seconds on. */
export async function tellWaiting<T>(
  { stderr }: Pick<CliContext, "stderr">,
  what: string,
  work: Promise<T>,
): Promise<T> {
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += tellEveryMs / 1_000;
    stderr.write(`${what}, ${seconds} s so far\n`);
  }, tellEveryMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
