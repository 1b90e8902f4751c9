import { readAttributes, readText } from "./attribute.ts";
import type { Message } from "./message.ts";

/** The multicast group of NETLINK_NETFILTER that tells of changes of nftables (linux/netfilter/nfnetlink.h). */
export const netfilterNftablesGroup = 7;

/** What nftables tells while a transaction is carried out. */
export type NftNotice =
  /** An object of a table came, changed or went, or the table itself. */
  | { readonly kind: "object"; readonly family: number; readonly table: string }
  /** The transaction is in force. The kernel names the process that asked for it. */
  | { readonly kind: "generation"; readonly pid: number; readonly program: string };

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
/** Questions have no notices; what is told begins with the name of its table, except for traces. */
const NFT_MSG_TRACE = 17;

const NftaGen = { NFTA_GEN_PROC_PID: 2, NFTA_GEN_PROC_NAME: 3 } as const;
/** NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE and so on are all the first. */
const NFTA_ANY_TABLE = 1;

/**
 * A notice of nftables, or `undefined` for any other message. The body is
 * | family u8 | version u8 | resource u16 | attributes |, numbers in attributes in network order.
 */
export function decodeNftNotice({ type, payload }: Message): NftNotice | undefined {
  if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return undefined;
  const kind = type & 0xff;
  if (kind === NFT_MSG_TRACE) return undefined;
  const family = payload.u8();
  payload.skip(3);
  let table = "";
  let pid = 0;
  let program = "";
  readAttributes(payload, (attribute, value) => {
    if (kind !== NFT_MSG_NEWGEN) {
      if (attribute === NFTA_ANY_TABLE) table = readText(value);
    } else if (attribute === NftaGen.NFTA_GEN_PROC_PID) pid = value.u32();
    else if (attribute === NftaGen.NFTA_GEN_PROC_NAME) program = readText(value);
  });
  return kind === NFT_MSG_NEWGEN ? { kind: "generation", pid, program } : { kind: "object", family, table };
}
