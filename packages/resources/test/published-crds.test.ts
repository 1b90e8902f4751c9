// Aim: our schemas take what Calico's published custom resource definitions take: the same fields, of the same types, words and
// limits. Method: both are flattened to one line a field and compared; every difference that stays is listed here with its
// reason, and one that is listed and no longer found fails too.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKindName, isRecord, jsonSchemaOf, kinds } from "../src/index.ts";
import { publishedFields } from "./published-crds.ts";
import { publishedFelixFields } from "./published-felix.ts";

interface Field {
  readonly type: string;
  readonly isRequired: boolean;
  readonly words: readonly string[];
  readonly minimum: number;
  readonly maximum: number;
  readonly shortest: number;
  readonly longest: number;
  readonly filledIn: string | undefined;
  /** Its form limits it more than a length would. */
  readonly hasForm: boolean;
}

const unlimited = {
  isRequired: false,
  words: [],
  minimum: -Infinity,
  maximum: Infinity,
  shortest: 0,
  longest: Infinity,
  filledIn: undefined,
  hasForm: false,
};

test("the schemas take what the published definitions take", () => {
  const found = Object.entries({ ...publishedFields, FelixConfiguration: publishedFelixFields }).flatMap(
    ([kind, table]) => {
      assert.ok(isKindName(kind));
      const ours = flatten(jsonSchemaOf(kind));
      return differences(parseTable(table), ours).map((line) => `${kind} ${line}`);
    },
  );
  const unexplained = found.filter((line) => !explanations.some(([pattern]) => pattern.test(line)));
  assert.deepEqual(unexplained, []);
  const idle = explanations.filter(([pattern]) => !found.some((line) => pattern.test(line)));
  assert.deepEqual(idle, [], "explained, but not found any more");
});

test("every kind but those without a published definition is compared", () => {
  const compared = [...Object.keys(publishedFields), "FelixConfiguration"];
  // Nodes and workload endpoints are made of Kubernetes' own objects where the datastore is Kubernetes.
  assert.deepEqual(
    Object.keys(kinds).filter((kind) => !compared.includes(kind)),
    ["Node", "WorkloadEndpoint"],
  );
});

/** Differences that stay, and why. */
const explanations: readonly (readonly [RegExp, string])[] = [
  [/^(BGPFilter|ClusterInformation|Profile) spec: required true/, "filled in with an empty one"],
  [
    /\.(communities\[\]\.(name|value)|cidr): required true/,
    "Calico's client refuses a community or range that is nothing",
  ],
  [/^BlockAffinity spec\.\w+: required false/, "only read, and an older form lacks them"],
  [/^BlockAffinity spec\.state: words/, "empty text is as absent"],
  [/status\.bgp\.number\w+: filled in 0/, "a status that lacks them is read all the same"],
  [/status\.conditions\[\]\.\w+: required false/, "a status that lacks them is read all the same"],
  [/^IPPool status.*: not published/, "newer"],
  [/^IPPool spec\.blockSize: (minimum|maximum)/, "checked with the pool's family, in Calico's words"],
  [/^IPPool spec\.(ipipMode|vxlanMode|nodeSelector): filled in/, "Calico's client fills it in"],
  [/Policy spec\.types: (type list|longest)/, "a type given twice is refused in Calico's words"],
  [
    /Policy spec\.(types|policyTypes): shortest 0/,
    "an empty list is as none, before any definition is looked at",
  ],
  [/spec\.programClusterRoutes: words/, "two words are newer"],
  [/spec\.bpfAttachType: words/, "Netkit is newer"],
  [/spec\.bpfRedirectToPeer: words/, "L2Only is older"],
  [/bpfKubeProxyEndpointSlicesEnabled: not published/, "older"],
  [/\.logSeverityScreen: type any case/, "older clients take any case"],
  [/minIPReclaimAgeSeconds: missing/, "called ipCooldownSeconds since"],
  [
    /\.(ipCooldownSeconds|annotations|migration(\.policyNameMigrator)?|ipv[46](Normal|Elevated)RoutePriority): not published/,
    "newer",
  ],
  [
    /^FelixConfiguration spec\.(istio|liveMigration|localSubnetL2|nftablesFlow|bpfIPFrag|bpfOverlay|nodeSelector)\w*: not published/,
    "newer",
  ],
];

function parseTable(table: string): ReadonlyMap<string, Field> {
  const rows = table.split("\n").filter((line) => line !== "");
  return new Map(
    rows.map((row) => {
      const [path = "", type = "", ...limits] = row.split(" ");
      const words = /^~?\{(.*)\}$/.exec(type)?.[1]?.split(",");
      const field: Field = {
        ...unlimited,
        isRequired: path.endsWith("!"),
        type: words === undefined ? type : type.startsWith("~") ? "any case" : "words",
        words: words?.toSorted() ?? [],
        ...Object.assign({}, ...limits.map(parseLimit)),
      };
      return [path.replace("!", ""), field];
    }),
  );
}

function parseLimit(text: string): Partial<Field> {
  if (text.startsWith("<=")) return { longest: Number(text.slice(2)) };
  if (text.startsWith(">=")) return { shortest: Number(text.slice(2)) };
  if (text.startsWith("=")) return { filledIn: text.slice(1) };
  const [minimum = "", maximum = ""] = text.split("..");
  return {
    minimum: minimum === "" ? -Infinity : Number(minimum),
    maximum: maximum === "" ? Infinity : Number(maximum),
  };
}

/** Our schema's fields in the form of the table, its envelope left out. */
function flatten(schema: Readonly<Record<string, unknown>>): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>();
  const walk = (node: unknown, path: string, isRequired: boolean): void => {
    if (!isRecord(node)) return;
    const isEnvelope = path === "" || /^(kind|apiVersion|metadata)$/.test(path);
    if (!isEnvelope) fields.set(path, { ...describe(node), isRequired });
    const required: unknown = node.required;
    for (const [name, child] of Object.entries(isRecord(node.properties) ? node.properties : {})) {
      if (path === "" && /^(kind|apiVersion|metadata)$/.test(name)) continue;
      const at = path === "" ? name : `${path}.${name}`;
      walk(child, at, Array.isArray(required) && required.includes(name));
    }
    if (node.items !== undefined) walk(node.items, `${path}[]`, false);
  };
  walk(schema, "", false);
  return fields;
}

function describe(node: Readonly<Record<string, unknown>>): Field {
  const number = (name: string, absent: number): number => {
    const value = node[name];
    return typeof value === "number" ? value : absent;
  };
  const { default: filledIn } = node;
  const words = Array.isArray(node.enum) ? node.enum : Array.isArray(node.anyCaseOf) ? node.anyCaseOf : [];
  return {
    type: typeOf(node),
    isRequired: false,
    words: words.map(String).toSorted(),
    minimum: number("minimum", -Infinity),
    maximum: number("maximum", Infinity),
    shortest: number("minItems", 0),
    longest: number("maxItems", number("maxLength", Infinity)),
    filledIn: filledIn === undefined || typeof filledIn === "object" ? undefined : String(filledIn),
    hasForm: typeof node.format === "string",
  };
}

function typeOf(node: Readonly<Record<string, unknown>>): string {
  if (node.enum !== undefined) return "words";
  if (node.anyCaseOf !== undefined) return "any case";
  if (node.anyOf !== undefined) return "port";
  if (node.patternProperties !== undefined) return "map";
  if (node.type === "array") return node.uniqueItems === true ? "set" : "list";
  return node.format === "goDuration" ? "duration" : String(node.type);
}

function differences(
  published: ReadonlyMap<string, Field>,
  ours: ReadonlyMap<string, Field>,
): readonly string[] {
  const lines: string[] = [];
  for (const [path, theirs] of published) {
    const mine = ours.get(path);
    if (mine === undefined) lines.push(`${path}: missing`);
    else lines.push(...compare(theirs, mine).map((text) => `${path}: ${text}`));
  }
  for (const path of ours.keys()) {
    if (!published.has(path)) lines.push(`${path}: not published`);
  }
  return lines;
}

/** Where the definition does not limit a field ours may: Calico's client checks more than its definitions can say. */
function compare(published: Field, ours: Field): readonly string[] {
  const texts: string[] = [];
  const differ = (name: string, mine: string | number | boolean, theirs: string | number | boolean): void => {
    if (mine !== theirs) texts.push(`${name} ${mine}, published ${theirs}`);
  };
  const isWords = published.type === "string" && ours.words.length > 0;
  if (!isWords) differ("type", ours.type, published.type);
  if (!isWords) differ("words", ours.words.join(), published.words.join());
  differ("required", ours.isRequired, published.isRequired);
  if (published.minimum !== -Infinity) differ("minimum", ours.minimum, published.minimum);
  if (published.maximum !== Infinity) differ("maximum", ours.maximum, published.maximum);
  if (published.shortest !== 0) differ("shortest", ours.shortest, published.shortest);
  if (published.longest !== Infinity && !ours.hasForm) differ("longest", ours.longest, published.longest);
  if (ours.filledIn !== undefined) differ("filled in", ours.filledIn, published.filledIn ?? "nothing");
  return texts;
}
