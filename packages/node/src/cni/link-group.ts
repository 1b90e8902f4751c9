import type { Writer } from "@caracal/net";
import { type Request, Rtm } from "@caracal/netlink";

const IFLA_GROUP = 27;
/** An attribute of one u32: | length u16 | type u16 | value u32 |, after the header of a link message. */
const groupAttributeBytes = 8;
const linkHeaderBytes = 16;

/** Puts an interface into a group: a number that the kernel keeps and that requests can name. */
export function setLinkGroup(index: number, group: number): Request {
  return { type: Rtm.RTM_NEWLINK, flags: 0, writeBody: (writer) => writeGroup(writer, index, group) };
}

/** Deletes every interface of a group, with one wait of the kernel for all of them. None is ENODEV. */
export function deleteLinkGroup(group: number): Request {
  return { type: Rtm.RTM_DELLINK, flags: 0, writeBody: (writer) => writeGroup(writer, 0, group) };
}

function writeGroup(writer: Writer, index: number, group: number): void {
  writer.zeros(4);
  writer.u32le(index);
  writer.zeros(linkHeaderBytes - 8);
  writer.u16le(groupAttributeBytes);
  writer.u16le(IFLA_GROUP);
  writer.u32le(group);
}
