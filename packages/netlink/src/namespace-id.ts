import type { Reader } from "@caracal/net";
import { readAttributes, writeU32Attribute } from "./attribute.ts";
import { Netnsa, Rtm } from "./constants.ts";
import type { Request } from "./message.ts";

/** Asks by which number the namespace of the socket knows another one, given as an open descriptor. */
export function getNamespaceId(namespaceFd: number): Request {
  return {
    type: Rtm.RTM_GETNSID,
    flags: 0,
    writeBody: (writer) => {
      writer.zeros(4);
      writeU32Attribute(writer, Netnsa.NETNSA_FD, namespaceFd);
    },
  };
}

/** Body of RTM_NEWNSID: | family u8 | padding u24 | attributes |. `undefined`: it knows no number for it. */
export function decodeNamespaceId(payload: Reader): number | undefined {
  payload.skip(4);
  let id: number | undefined;
  readAttributes(payload, (type, value) => {
    if (type === Netnsa.NETNSA_NSID) id = value.i32le();
  });
  return id === undefined || id < 0 ? undefined : id;
}
