import { KernelError, type NetlinkSocket } from "@caracal/linux";
import type { Message, Request } from "@caracal/netlink";

/** A request, with the name that a refusal of it carries. */
export interface NamedRequest {
  readonly op: string;
  readonly request: Request;
}

/** Requests in order by one system call. The first refusal is thrown when all have been tried; answers go to `visit`. */
export function carryOut(
  socket: NetlinkSocket,
  named: readonly NamedRequest[],
  visit?: (answer: Message) => void,
): void {
  const [refused] = refusals(socket, named, visit);
  if (refused !== undefined) throw refused.error;
}

/** As `carryOut`, for who can do something about refusals. */
export function refusals(
  socket: NetlinkSocket,
  named: readonly NamedRequest[],
  visit?: (answer: Message) => void,
): readonly { readonly index: number; readonly error: KernelError }[] {
  const requests = named.map(({ request }) => request);
  return socket.batch("netlink", requests, visit).map(({ index, error }) => {
    const { errno, detail } = error;
    return { index, error: new KernelError(named[index]?.op ?? error.op, errno, detail, { cause: error }) };
  });
}
