import { messageOf } from "@caracal/net";
import { describeProblems, isKindName, isRecord, kinds, toJson } from "@caracal/resources";
import { toYaml } from "@caracal/resources/manifest";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { type RawDocument, textOf } from "../conversion/document-parts.ts";
import { convertKubernetesPolicy } from "../conversion/kubernetes-policy.ts";
import { convertVersionOne } from "../conversion/version-one.ts";
import { readFiles } from "../resources/read-manifests.ts";

export const convert: Command = {
  name: "convert",
  operands: "-f FILE",
  description: "Nothing is asked of a datastore. A field without a counterpart is refused rather than lost.",
  options: [
    { name: "filename", short: "f", value: "FILE", summary: "File of YAML or JSON; - is standard input." },
    {
      name: "output",
      short: "o",
      value: "FORMAT",
      choices: ["yaml", "json"],
      summary: "Output format. (default yaml)",
    },
    { name: "ignore-validation", summary: "Print also what would be refused today." },
  ],
  run: async (ctx, args) => {
    if (args.text("filename") === undefined) throw new CliError("convert needs --filename");
    const format = args.text("output") ?? "yaml";
    if (format !== "yaml" && format !== "json") throw new CliError(`unrecognized output format '${format}'`);
    const converted: RawDocument[] = [];
    for (const { name, text } of await readFiles(ctx, args)) {
      for (const [index, document] of (await readDocuments(text, name)).entries()) {
        converted.push(
          convertDocument(document, `${name}, document ${index + 1}`, args.flag("ignore-validation")),
        );
      }
    }
    if (converted.length === 0) {
      throw new CliError(`no resources specified in file ${args.texts("filename").join(", ")}`);
    }
    const result = converted.length === 1 ? converted[0] : converted;
    ctx.stdout.write(format === "json" ? `${toJson(result)}\n` : toYaml(result));
    return 0;
  },
};

/** Aliases (`*x`) that one document may expand to. */
const maxAliasCount = 100;

/** The documents of a file, those of its lists one by one. */
async function readDocuments(text: string, name: string): Promise<readonly RawDocument[]> {
  const { parseAllDocuments } = await import("yaml");
  const documents = parseAllDocuments(text, { prettyErrors: false, logLevel: "error" });
  return ("empty" in documents ? [] : documents).flatMap((document) => {
    const [broken] = document.errors;
    if (broken !== undefined) throw new CliError(`${name}: ${broken.message.split("\n", 1)[0]}`);
    const content = contentOf(() => document.toJS({ maxAliasCount }), name);
    if (content === null || content === undefined) return [];
    const isList = isRecord(content) && textOf(content.kind).endsWith("List");
    const items: unknown = isList ? content.items : content;
    const list: readonly unknown[] = Array.isArray(items) ? items : [items];
    return list.map((item) => (isRecord(item) ? item : notMapping(name)));
  });
}

/** Aliases that grow too much, or depth that the parser does not reach, end here. */
function contentOf(read: () => unknown, name: string): unknown {
  try {
    return read();
  } catch (error) {
    throw new CliError(`${name}: ${messageOf(error)}`, { cause: error });
  }
}

function notMapping(name: string): never {
  throw new CliError(`${name}: a document must be a mapping of fields`);
}

function convertDocument(document: RawDocument, place: string, isUnchecked: boolean): RawDocument {
  try {
    const converted = convertByVersion(document);
    if (isUnchecked) return converted;
    const kind = textOf(converted.kind);
    const reading = isKindName(kind) ? kinds[kind].parse(converted, "user") : undefined;
    if (reading?.kind === "bad") throw new CliError(describeProblems(reading.problems));
    return converted;
  } catch (error) {
    throw error instanceof CliError ? new CliError(`${error.message} [${place}]`, { cause: error }) : error;
  }
}

function convertByVersion(document: RawDocument): RawDocument {
  const version = textOf(document.apiVersion);
  const kind = textOf(document.kind);
  if (version === "v1") return convertVersionOne(document);
  if (version === "projectcalico.org/v3") throw new CliError(`${kind} is of projectcalico.org/v3 already`);
  const isPolicy = version === "networking.k8s.io/v1" || version === "extensions/v1beta1";
  if (isPolicy && kind === "NetworkPolicy") return convertKubernetesPolicy(document);
  throw new CliError(
    `${kind || "a document"} of ${version || "no apiVersion"} cannot be converted: only v1 and Kubernetes' NetworkPolicy can`,
  );
}
