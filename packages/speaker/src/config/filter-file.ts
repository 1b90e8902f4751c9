import { checkFilter, type Filter } from "@caracal/bgp";
import { list, mapping, oneOf, optional, required, scalar, type Shape } from "./shape.ts";
import * as value from "./value-shapes.ts";

/** The keys of a filter, as the core takes them. What texts and numbers mean is checked by the core. */

const word: Shape<string> = scalar("a text", (text) => text);
const words = list(word);
const number = value.whole("a number", 0, 0xffffffff);
const range = mapping({ min: optional(number), max: optional(number) });
const peerType = oneOf("iBGP", "eBGP");
const action = oneOf("accept", "reject", "continue");

const match = mapping({
  family: optional(value.family),
  prefixes: optional(words),
  notPrefixes: optional(words),
  asPath: optional(
    mapping({
      beginsWith: optional(list(value.asNumber)),
      contains: optional(list(value.asNumber)),
      exactly: optional(list(value.asNumber)),
      origins: optional(list(value.asNumber)),
      length: optional(range),
      pattern: optional(word),
    }),
  ),
  communities: optional(mapping({ any: optional(words), all: optional(words), none: optional(words) })),
  localPref: optional(range),
  med: optional(range),
  nextHops: optional(words),
  peerType: optional(peerType),
  source: optional(oneOf("local", "peers")),
  sourcePeers: optional(words),
  sourceType: optional(peerType),
  interfaces: optional(words),
});

const change = mapping({
  localPref: optional(number),
  med: optional(
    scalar("none or a number from 0 to 4294967295", (text) =>
      text === "none" ? text : value.wholeNumber(text, 0, 0xffffffff),
    ),
  ),
  communities: optional(mapping({ set: optional(words), remove: optional(words), add: optional(words) })),
  prependAsPath: optional(list(value.asNumber)),
  nextHop: optional(word),
});

const rule = mapping({
  name: optional(word),
  match: optional(match),
  set: optional(change),
  action: required(action),
});

const fields: Shape<Filter> = mapping({ rules: required(list(rule)), otherwise: required(action) });

export const filter: Shape<Filter> = {
  read: (at) => {
    const read = fields.read(at);
    for (const { path, found, expected } of read === undefined ? [] : checkFilter(read)) {
      at.find(path).problem(`expected ${expected}, found ${found}`);
    }
    return read;
  },
};
