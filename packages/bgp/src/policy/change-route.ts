import { IpAddress } from "@caracal/net";
import { AsPath } from "../wire/as-path.ts";
import { type LargeCommunity, type PathAttributes } from "../wire/path-attributes.ts";
import { hasChosenNextHop, withChosenNextHop } from "./chosen-next-hop.ts";
import { communityForm } from "./community-conditions.ts";
import {
  type CommunityPattern,
  coversExtended,
  coversLarge,
  coversStandard,
  isExact,
  parseCommunity,
} from "./community.ts";
import { type FilterReader } from "./filter-reader.ts";
import { type FilterSession } from "./filter-session.ts";
import { type RouteChange } from "./filter.ts";
import { remembered } from "./remembered.ts";

/** More AS numbers than this are not prepended by one rule. */
export const maxPrepended = 128;

/** New attributes, or the very same ones where nothing changes. */
type Change = (value: PathAttributes) => PathAttributes;

/**
 * All changes of a rule as one function. The same attributes always give the same object, so that routes which share
 * theirs still do afterwards.
 */
export function changeOf(change: RouteChange, session: FilterSession, reader: FilterReader): Change {
  const steps = [
    ...numberChanges(change, reader),
    ...communityChanges(change, reader),
    ...prependChanges(change, reader),
    ...nextHopChanges(change, session, reader),
  ];
  return remembered((value: PathAttributes) => {
    const changed = steps.reduce((before, step) => step(before), value);
    // A rule before this one may have chosen the next hop, and a copy does not know.
    const isForgotten = hasChosenNextHop(value) && !hasChosenNextHop(changed);
    return isForgotten && changed.nextHop !== undefined ? withChosenNextHop(changed) : changed;
  });
}

function numberChanges({ localPref, med }: RouteChange, reader: FilterReader): readonly Change[] {
  const steps: Change[] = [];
  if (localPref !== undefined) {
    reader.number("localPref", localPref);
    steps.push((value) => (value.localPref === localPref ? value : { ...value, localPref }));
  }
  if (med === "none") {
    steps.push((value) => {
      const { med: old, ...rest } = value;
      return old === undefined ? value : rest;
    });
  } else if (med !== undefined) {
    reader.number("med", med);
    steps.push((value) => (value.med === med ? value : { ...value, med }));
  }
  return steps;
}

function communityChanges({ communities }: RouteChange, reader: FilterReader): readonly Change[] {
  if (communities === undefined) return [];
  const inner = reader.at("communities");
  const { set, remove, add } = communities;
  const steps: Change[] = [];
  if (set !== undefined) {
    const wanted = readExact("set", set, inner);
    steps.push((value) =>
      addCommunities(
        removeCommunities(value, () => true),
        wanted,
      ),
    );
  }
  if (remove !== undefined) {
    const unwanted = inner.parseAll("remove", remove, parseCommunity, communityForm);
    steps.push((value) => removeCommunities(value, (covers) => unwanted.some(covers)));
  }
  if (add !== undefined) {
    inner.some("add", add);
    const wanted = readExact("add", add, inner);
    steps.push((value) => addCommunities(value, wanted));
  }
  return steps;
}

function readExact(field: string, texts: readonly string[], reader: FilterReader): CommunityPattern[] {
  return texts.flatMap((text, index) => {
    const pattern = parseCommunity(text);
    if (pattern !== undefined && isExact(pattern)) return pattern;
    reader.refuse(`${field}[${index}]`, JSON.stringify(text), `${communityForm}; without *`);
    return [];
  });
}

/** Takes away what `isUnwanted` says of a community, which it hears as a test of patterns. */
function removeCommunities(
  value: PathAttributes,
  isUnwanted: (covers: (pattern: CommunityPattern) => boolean) => boolean,
): PathAttributes {
  const { communities, extendedCommunities, largeCommunities, ...rest } = value;
  const standard = communities?.filter((one) => !isUnwanted((pattern) => coversStandard(pattern, one)));
  const extended = extendedCommunities?.filter(
    (one) => !isUnwanted((pattern) => coversExtended(pattern, one)),
  );
  const large = largeCommunities?.filter((one) => !isUnwanted((pattern) => coversLarge(pattern, one)));
  const isSame =
    standard?.length === communities?.length &&
    extended?.length === extendedCommunities?.length &&
    large?.length === largeCommunities?.length;
  if (isSame) return value;
  return {
    ...rest,
    ...(standard === undefined || standard.length === 0 ? {} : { communities: standard }),
    ...(extended === undefined || extended.length === 0 ? {} : { extendedCommunities: extended }),
    ...(large === undefined || large.length === 0 ? {} : { largeCommunities: large }),
  };
}

/** Appends communities that are not there yet. */
function addCommunities(value: PathAttributes, wanted: readonly CommunityPattern[]): PathAttributes {
  return wanted.reduce((changed, one): PathAttributes => {
    switch (one.kind) {
      case "standard": {
        const { communities = [] } = changed;
        return communities.includes(one.bits)
          ? changed
          : { ...changed, communities: [...communities, one.bits] };
      }
      case "extended": {
        const { extendedCommunities = [] } = changed;
        return extendedCommunities.includes(one.bits)
          ? changed
          : { ...changed, extendedCommunities: [...extendedCommunities, one.bits] };
      }
      case "large": {
        const { largeCommunities = [] } = changed;
        return largeCommunities.some((other) => isSameLarge(other, one.bits))
          ? changed
          : { ...changed, largeCommunities: [...largeCommunities, one.bits] };
      }
    }
  }, value);
}

function isSameLarge(a: LargeCommunity, b: LargeCommunity): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}

function prependChanges({ prependAsPath }: RouteChange, reader: FilterReader): readonly Change[] {
  if (prependAsPath === undefined) return [];
  reader.some("prependAsPath", prependAsPath);
  reader.asns("prependAsPath", prependAsPath);
  if (prependAsPath.length > maxPrepended) {
    reader.refuse("prependAsPath", `a list of ${prependAsPath.length}`, `at most ${maxPrepended} AS numbers`);
  }
  return [(value) => ({ ...value, asPath: prependAsPath.reduceRight(AsPath.prepend, value.asPath) })];
}

function nextHopChanges(
  { nextHop }: RouteChange,
  { direction }: FilterSession,
  reader: FilterReader,
): readonly Change[] {
  if (nextHop === undefined) return [];
  if (nextHop === "self" || nextHop === "keep") {
    // Both are about what the peer is told, so they say nothing of a route that comes in.
    if (direction === "import") return [];
    return [nextHop === "self" ? withoutNextHop : withChosenNextHop];
  }
  const address = IpAddress.parse(nextHop);
  if (address === undefined) {
    reader.refuse("nextHop", JSON.stringify(nextHop), "an address, self or keep");
    return [];
  }
  return [
    (value) => {
      const { linkLocalNextHop: _linkLocal, ...rest } = value;
      const changed = { ...rest, nextHop: address };
      return direction === "export" ? withChosenNextHop(changed) : changed;
    },
  ];
}

/** A route without a next hop is told with our own. */
function withoutNextHop(value: PathAttributes): PathAttributes {
  const { nextHop, linkLocalNextHop: _linkLocal, ...rest } = value;
  return nextHop === undefined ? value : rest;
}
