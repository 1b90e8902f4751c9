import { tabTable } from "../output/tab-table.ts";
import { part, parts, textPart } from "./json-parts.ts";

/** The tables of `bgp show`, made of what the speaker's control socket answers. */

export function neighborTable(neighbors: readonly unknown[]): string {
  if (neighbors.length === 0) return "No neighbors.\n";
  const heading = ["NAME", "ADDRESS", "ASN", "STATE", "SINCE", "RECEIVED", "BEST", "ADVERTISED", "INFO"];
  const rows = neighbors.map((one) => [
    textPart(one, "name"),
    textPart(one, "address"),
    textPart(one, "asn"),
    textPart(one, "state"),
    moment(textPart(one, "since")),
    textPart(one, "routes", "received"),
    textPart(one, "routes", "best"),
    textPart(one, "routes", "advertised"),
    textPart(one, "lastError") || missingPolicyText(one),
  ]);
  return tabTable([heading, ...rows]);
}

export function summaryText(summary: unknown): string {
  const kernel = part(summary, "kernel");
  const programmed =
    typeof kernel === "object"
      ? `table ${textPart(kernel, "table")}, protocol ${textPart(kernel, "protocol")}: ${textPart(kernel, "routes")} routes, ` +
        `${parts(kernel, "failures").length} failed, ${parts(kernel, "conflicts").length} in conflict`
      : "left alone";
  const lines = details([
    ["Router ID", textPart(summary, "routerId")],
    ["AS", textPart(summary, "asn")],
    ["Listening", textPart(summary, "ports")],
    ["Started", moment(textPart(summary, "startedAt"))],
    ["Configured", moment(textPart(summary, "configuredAt"))],
    ["Routes", `${textPart(summary, "routes", "ipv4")} IPv4, ${textPart(summary, "routes", "ipv6")} IPv6`],
    ["Kernel", programmed],
    ...parts(summary, "ranges").map((range) => ["From prefixes", rangeText(range)] as const),
  ]);
  return `${lines}\n${neighborTable(parts(summary, "neighbors"))}`;
}

function rangeText(range: unknown): string {
  const [name, prefix] = [textPart(range, "name"), textPart(range, "prefix")];
  const where = name === prefix ? name : `${name} (${prefix})`;
  return `${where}, AS ${textPart(range, "asn")}: ${textPart(range, "neighbors")} of at most ${textPart(range, "maxNeighbors")}`;
}

export function neighborText(one: unknown): string {
  const session = part(one, "session");
  const rows: (readonly [string, string])[] = [
    ["Name", textPart(one, "name")],
    ["Address", `${textPart(one, "address")} port ${textPart(one, "port")}`],
    ["AS", `${textPart(one, "asn")} (${textPart(one, "type")}), ours ${textPart(one, "localAsn")}`],
    ["Role", roleText(one)],
    ["State", `${textPart(one, "state")} since ${moment(textPart(one, "since"))}`],
    ["One of", textPart(one, "range")],
    ["Last error", textPart(one, "lastError")],
    ["Policy", missingPolicyText(one)],
    ["Routes", counts(one, "routes", ["received", "best", "advertised", "stale"])],
    ["Kept", staleText(one)],
    ["Maximum", limitText(part(one, "maxPrefixes"))],
    ["Updates in", counts(one, "imports", ["Received", "Accepted", "Filtered", "Rejected"], "updates")],
    ["Updates out", counts(one, "exports", ["Accepted", "Filtered", "Rejected"], "updates")],
  ];
  if (session !== undefined) {
    rows.push(
      ["Router ID", textPart(session, "routerId")],
      ["Our address", textPart(session, "localAddress")],
      ["Families", textPart(session, "families")],
      ["Capabilities", textPart(session, "capabilities")],
      ["Add paths", textPart(session, "addPaths")],
      ["Longest message", `${textPart(session, "maxMessageBytes")} bytes`],
      [
        "Hold time",
        `${textPart(session, "holdTimeMs")} ms, to send ${textPart(session, "sendHoldTimeMs")} ms`,
      ],
    );
  }
  return details(rows.filter(([, value]) => value !== ""));
}

/** Routes that outlive their session. */
function staleText(one: unknown): string {
  const lines = parts(one, "stale").map((stale) => {
    const left = part(stale, "leftMs");
    const time = typeof left === "number" ? `, ${Math.ceil(left / 1000)} s left` : "";
    return `${textPart(stale, "family")} ${textPart(stale, "phase")}${time}`;
  });
  return lines.join("; ");
}

function limitText(limit: unknown): string {
  if (limit === undefined) return "";
  const action = textPart(limit, "action");
  const after = action === "restart" ? ` after ${textPart(limit, "restartAfterMs")} ms` : "";
  const said = `IPv4 ${textPart(limit, "ipv4")}, IPv6 ${textPart(limit, "ipv6")}`;
  return `${textPart(limit, "limit")} prefixes of each family, then ${action}${after}; ${said}`;
}

/** RFC 8212. */
function missingPolicyText(one: unknown): string {
  const directions = parts(one, "missingPolicies").map(String);
  return directions.length === 0 ? "" : `no ${directions.join(" or ")} filter: nothing passes`;
}

/** `customer; the neighbor says provider`. */
function roleText(neighbor: unknown): string {
  const theirs = textPart(neighbor, "session", "neighborRole");
  return [textPart(neighbor, "role"), theirs === "" ? "" : `the neighbor says ${theirs}`]
    .filter((text) => text !== "")
    .join("; ");
}

export function memoryText(memory: unknown): string {
  const size = (key: string): string => `${(Number(part(memory, key)) / 2 ** 20).toFixed(1)} MiB`;
  return details([
    ["Resident", size("residentBytes")],
    ["JavaScript heap", size("heapBytes")],
    ["Outside the heap", size("externalBytes")],
    ["Attribute sets", textPart(memory, "attributeSets")],
    ["IPv4 routes", textPart(memory, "routes", "ipv4")],
    ["IPv6 routes", textPart(memory, "routes", "ipv6")],
    [
      "Prefixes",
      `${textPart(memory, "tables", "prefixes")}, room for ${textPart(memory, "tables", "prefixRoom")}`,
    ],
    ["Room for routes", textPart(memory, "tables", "routeRoom")],
    ["Room for sets", textPart(memory, "tables", "attributeRoom")],
  ]);
}

/** Widths of the columns of routes: a long listing is printed as it comes, so they cannot depend on it. */
const routeColumns = [
  ["", 3],
  ["PREFIX", 20],
  ["NEXT HOP", 17],
  ["NEIGHBOR", 17],
  ["LOCALPREF", 11],
  ["MED", 7],
  ["AS PATH", 0],
] as const;

export const routeHeading: string = fixedLine(routeColumns.map(([title]) => title));

/** `*` marks the best; `=` one that shares its traffic; `!` one that cannot be used; `s` one that is stale. Why stands last. */
export function routeLine(route: unknown): string {
  const state = textPart(route, "state");
  const isUsable = state === "valid";
  const isBest = part(route, "best") === true;
  const rank = isBest ? "*" : part(route, "shares") === true ? "=" : isUsable ? " " : "!";
  const flags = `${rank}${part(route, "stale") === true ? "s" : ""}`;
  return oneRoute(flags, route, [isUsable ? "" : state, textPart(route, "why")]);
}

/** `!` marks one that is not told, `~` one that the neighbor has yet to hear. */
export function advertisedLine(route: unknown): string {
  const state = textPart(route, "state");
  return oneRoute(state === "told" ? " " : state === "waiting" ? "~" : "!", route, [textPart(route, "why")]);
}

function oneRoute(flags: string, route: unknown, remarks: readonly string[]): string {
  const remark = remarks.filter((one) => one !== "").join(": ");
  const path = `${textPart(route, "asPath")} ${originLetter(textPart(route, "origin"))}`.trim();
  return fixedLine([
    flags,
    textPart(route, "prefix"),
    textPart(route, "nextHop") || "self",
    textPart(route, "neighbor") || "-",
    textPart(route, "localPref"),
    textPart(route, "med"),
    remark === "" ? path : `${path} (${remark})`,
  ]);
}

/** As every router writes it: an "i" is not the first letter of "incomplete". */
function originLetter(origin: string): string {
  return origin === "incomplete" ? "?" : origin.charAt(0).toLowerCase();
}

function fixedLine(cells: readonly string[]): string {
  const padded = routeColumns.map(([, width], column) => {
    const cell = cells[column] ?? "";
    // What does not fit still keeps its distance.
    return cell.length < width ? cell.padEnd(width) : `${cell} `;
  });
  return `${padded.join("").trimEnd()}\n`;
}

function details(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([label, value]) => `${`${label}:`.padEnd(18)}${value}\n`).join("");
}

function counts(value: unknown, key: string, names: readonly string[], prefix = ""): string {
  return names.map((name) => `${textPart(value, key, `${prefix}${name}`)} ${name.toLowerCase()}`).join(", ");
}

/** `2024-01-08 03:12:11` of UTC. */
function moment(iso: string): string {
  return iso.slice(0, 19).replace("T", " ");
}
