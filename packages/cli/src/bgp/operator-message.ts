import { CliError } from "../cli-error.ts";
import type { Arguments, Option } from "../command.ts";

/** RFC 9003 §2: what one octet can count. */
const maxMessageBytes = 255;

export const messageOption: Option = {
  name: "message",
  short: "m",
  value: "TEXT",
  summary: "What the operator of the other end is to read.",
};

/** The message that goes out with the end of a session, if there is one. */
export function operatorMessage(args: Arguments): { readonly message?: string } {
  const message = args.text("message");
  if (message === undefined) return {};
  const bytes = Buffer.byteLength(message);
  if (bytes > maxMessageBytes) {
    throw new CliError(`a message has at most ${maxMessageBytes} bytes, this one has ${bytes}`);
  }
  return { message };
}
