import { type MaxPrefixes, maxPrefixesDefaults } from "@caracal/bgp";
import { type FieldsRead, mapping, oneOf, optional, required, type Shape, withDefault } from "./shape.ts";
import * as value from "./value-shapes.ts";

/** Keys about how long a neighbour's routes live, each in a short and in a long form. */

const restartFields = {
  restartTimeS: optional(value.whole("seconds", 0, value.maxRestartTimeS)),
  /** RFC 9494 §3: the time has 24 bits. */
  longLivedTimeS: optional(value.whole("seconds", 1, 0xff_ffff)),
  longLivedPartial: withDefault(value.flag, false),
  /** RFC 8538. */
  notification: withDefault(value.flag, true),
};

export type RestartFile = FieldsRead<typeof restartFields>;

/** Whether, or for how long, or all that there is to say about it. */
export const gracefulRestart: Shape<boolean | number | RestartFile> = shortOrLong(
  value.restartTime,
  mapping(restartFields),
);

const prefixCount = value.whole("a number of prefixes", 1, 0xffff_ffff);

const limit: Shape<MaxPrefixes> = mapping({
  limit: required(prefixCount),
  warnPercent: withDefault(value.whole("a percentage", 1, 100), maxPrefixesDefaults.warnPercent),
  action: withDefault(oneOf("restart", "warn", "disable", "block"), maxPrefixesDefaults.action),
  restartAfterMs: withDefault(
    value.whole("milliseconds", 1000, 86_400_000),
    maxPrefixesDefaults.restartAfterMs,
  ),
});

const count: Shape<MaxPrefixes> = {
  read: (at) => {
    const most = prefixCount.read(at);
    return most === undefined ? undefined : { ...maxPrefixesDefaults, limit: most };
  },
};

export const maxPrefixes: Shape<MaxPrefixes> = shortOrLong(count, limit);

/** A single value, or a mapping. */
function shortOrLong<Short, Long>(short: Shape<Short>, long: Shape<Long>): Shape<Short | Long> {
  return { read: (at) => (at.kind === "mapping" ? long.read(at) : short.read(at)) };
}
