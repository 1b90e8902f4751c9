import { align, readAttributes, readText } from "./attribute.ts";
import { Nlm, NlmsgErrAttr } from "./constants.ts";
import { type Message, messageHeaderBytes } from "./message.ts";

/** The kernel's verdict on one request. */
export interface Acknowledgement {
  /** 0 is success, else a positive errno. */
  readonly errno: number;
  /** Sequence number of the request. */
  readonly sequence: number;
  /** The kernel's own words, where it has some. */
  readonly text?: string;
  /** Where in the request the kernel saw the fault, in bytes from its header. */
  readonly faultOffset?: number;
}

/**
 * NLMSG_ERROR (linux/netlink.h): | −errno i32 | request header | request body unless NLM_F_CAPPED | attributes if
 * NLM_F_ACK_TLVS |
 */
export function decodeAcknowledgement(message: Message): Acknowledgement {
  const { payload } = message;
  const errno = 0 - payload.i32le();
  const requestBytes = payload.u32le();
  payload.skip(4);
  const sequence = payload.u32le();
  payload.skip(4);
  // A successful acknowledgement never echoes the body.
  const echoed = errno !== 0 && (message.flags & Nlm.NLM_F_CAPPED) === 0;
  if (echoed) payload.skip(Math.max(0, align(requestBytes) - messageHeaderBytes));
  return { errno, sequence, ...((message.flags & Nlm.NLM_F_ACK_TLVS) === 0 ? {} : readVerdict(payload)) };
}

/** NLMSG_DONE: | −errno i32 | attributes if NLM_F_ACK_TLVS |. Old kernels may send nothing at all. */
export function decodeDone(message: Message): Acknowledgement {
  const { payload, sequence } = message;
  const errno = payload.remaining >= 4 ? 0 - payload.i32le() : 0;
  return { errno, sequence, ...((message.flags & Nlm.NLM_F_ACK_TLVS) === 0 ? {} : readVerdict(payload)) };
}

function readVerdict(payload: Message["payload"]): { text?: string; faultOffset?: number } {
  const found: { text?: string; faultOffset?: number } = {};
  readAttributes(payload, (type, value) => {
    if (type === NlmsgErrAttr.NLMSGERR_ATTR_MSG) found.text = readText(value);
    if (type === NlmsgErrAttr.NLMSGERR_ATTR_OFFS) found.faultOffset = value.u32le();
  });
  return found;
}
