import { MessageType } from "../iana.ts";
import { type DecodeContext } from "./attribute-decoder.ts";
import { type Frame, encodeFrame } from "./header.ts";
import { type Notification, decodeNotification } from "./notification.ts";
import { type Open, decodeOpen } from "./open.ts";
import { type RouteRefresh, decodeRouteRefresh } from "./route-refresh.ts";
import { type Update, decodeUpdate } from "./update.ts";

/** Any BGP message. */
export type Message = Open | Update | Notification | RouteRefresh | { readonly kind: "keepalive" };

/** Decodes what a splitter cut; throws only `DecodeError`. */
export function decodeMessage(frame: Frame, context: DecodeContext): Message {
  switch (frame.type) {
    case MessageType.open:
      return decodeOpen(frame.bytes);
    case MessageType.update:
      return decodeUpdate(frame.bytes, context);
    case MessageType.notification:
      return decodeNotification(frame.bytes);
    case MessageType.routeRefresh:
      return decodeRouteRefresh(frame.bytes);
    default:
      // The splitter lets no other type through.
      return { kind: "keepalive" };
  }
}

/** KEEPALIVE (RFC 4271 §4.4): a header alone. */
export const keepaliveBytes: Uint8Array = encodeFrame(MessageType.keepalive, () => undefined);
