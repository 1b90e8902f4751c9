import { oneOf, readAddress } from "../read-text.ts";
import type { NodeSpec, SwitchSpec } from "../topology.ts";
import type { YamlValue } from "../yaml-value.ts";
import {
  type CaptureCheck,
  type ExpectedSession,
  type LabChecks,
  type OutputCheck,
  SESSION_TYPES,
  type UnreachableRule,
} from "./lab-checks.ts";
import { CAPTURE_RULE, parseCapturePattern } from "./capture-pattern.ts";
import { strayPlaceholders } from "./match-text.ts";
import { parseRoutePattern, ROUTE_RULE } from "./route-pattern.ts";

const SESSION = /^([0-9a-fA-F.:]+)(?: (.+))?$/;
const SESSION_RULE = `a peer's address, which may be followed by ${SESSION_TYPES.join(", ")}`;

/** Reads `checks`; without it every pod must reach every other one. */
export function readChecks(
  value: YamlValue | undefined,
  nodes: readonly NodeSpec[],
  switches: readonly SwitchSpec[],
): LabChecks {
  value?.withKeys(["unreachable", "sessions", "routes", "outputs", "captures"]);
  const nodeNames = nodes.map((node) => node.name);
  const routers = [...nodeNames, ...switches.map((one) => one.name)];
  const podNames = nodes.flatMap((node) => node.pods.map((pod) => pod.name));
  const places = [...routers, ...podNames];
  return {
    unreachable: listIn(value, "unreachable").map((one) => readUnreachable(one, nodeNames, routers)),
    sessions: readPerRouter(value?.optional("sessions"), routers, readSession),
    routes: readPerRouter(value?.optional("routes"), routers, (one) => {
      const route = one.as(ROUTE_RULE, parseRoutePattern);
      if ("blocksOf" in route.destination && !nodeNames.includes(route.destination.blocksOf))
        one.fail(`there is no node ${route.destination.blocksOf}`);
      return route;
    }),
    outputs: listIn(value, "outputs").map((one) => {
      const output = readOutput(one, places);
      const [stray] = strayPlaceholders(`${output.run}\n${output.text}`, nodeNames, podNames);
      return stray === undefined ? output : one.fail(`${stray} means no node or pod of this file`);
    }),
    captures: listIn(value, "captures").map((one) => readCaptures(one, places, podNames)),
  };
}

function readUnreachable(
  value: YamlValue,
  nodeNames: readonly string[],
  routers: readonly string[],
): UnreachableRule {
  value.withKeys(["from", "to", "at"]);
  const at = value.optional("at")?.as("the name of a node or switch", oneOf(routers));
  return {
    from: readNodes(value.required("from"), nodeNames),
    to: readNodes(value.required("to"), nodeNames),
    ...(at === undefined ? {} : { at }),
  };
}

/** A node, a list of nodes, or `all`. */
function readNodes(value: YamlValue, nodeNames: readonly string[]): readonly string[] {
  if (value.isText && value.text() === "all") return nodeNames;
  const values = value.isText ? [value] : value.list();
  return values.map((one) => one.as("the name of a node, or all", oneOf(nodeNames)));
}

function readPerRouter<T>(
  value: YamlValue | undefined,
  routers: readonly string[],
  read: (value: YamlValue) => T,
): ReadonlyMap<string, readonly T[]> {
  const entries = value?.entries() ?? [];
  return new Map(
    entries.map(([name, member]) => {
      if (!routers.includes(name))
        member.fail(`there is no node or switch ${name}: there are ${routers.join(", ")}`);
      return [name, member.list().map(read)];
    }),
  );
}

function readSession(value: YamlValue): ExpectedSession {
  return value.as(SESSION_RULE, (text) => {
    const [, peer = "", typeText] = SESSION.exec(text) ?? [];
    const type = typeText === undefined ? undefined : oneOf(SESSION_TYPES)(typeText);
    if (readAddress(peer) === undefined || (typeText !== undefined && type === undefined)) return undefined;
    return { peer, ...(type === undefined ? {} : { type }) };
  });
}

function readOutput(value: YamlValue, places: readonly string[]): OutputCheck {
  value.withKeys(["on", "run", "prints", "includes"]);
  const [prints, includes] = [value.optional("prints"), value.optional("includes")];
  const text = prints ?? includes;
  if (text === undefined || (prints !== undefined && includes !== undefined))
    return value.fail("either prints or includes is needed");
  return {
    on: value.required("on").as("the name of a node, switch or pod", oneOf(places)),
    run: value.required("run").text(),
    text: text.text(),
    isPart: includes !== undefined,
  };
}

function readCaptures(
  value: YamlValue,
  places: readonly string[],
  podNames: readonly string[],
): CaptureCheck {
  value.withKeys(["from", "to", "family", "seen"]);
  const pod = (key: "from" | "to"): string =>
    value.required(key).as("the name of a pod of this file", oneOf(podNames));
  const family = value.optional("family")?.as("IPv4 or IPv6", oneOf(["IPv4", "IPv6"]));
  return {
    from: pod("from"),
    to: pod("to"),
    isIpv6: family === "IPv6",
    seen: value
      .required("seen")
      .list()
      .map((one) => {
        const pattern = one.as(CAPTURE_RULE, parseCapturePattern);
        return places.includes(pattern.on) ? pattern : one.fail(`there is no ${pattern.on} in this file`);
      }),
  };
}

function listIn(value: YamlValue | undefined, key: string): readonly YamlValue[] {
  return value?.optional(key)?.list() ?? [];
}
