import { dirname, isAbsolute, resolve } from "node:path";
import { StoreError } from "@caracal/datastore";
import { parse } from "yaml";
import { fields, type JsonObject, list, text } from "../api/json-fields.ts";
import { isProxyUrl } from "../api/proxy.ts";
import type { ExecPlugin } from "./exec-plugin.ts";
import { readText } from "./read-text.ts";
import type { TextOrFile, User } from "./user-credentials.ts";

/** The cluster of a context. */
export interface Cluster {
  readonly server: string;
  readonly ca: TextOrFile;
  readonly insecureSkipTlsVerify: boolean;
  readonly serverName: string | undefined;
  readonly proxyUrl: string | undefined;
}

/** What a kubeconfig says of one context. */
export interface KubeContext {
  readonly cluster: Cluster;
  readonly user: User;
}

/** A text and the directory that its relative paths start from. */
interface Source {
  readonly name: string;
  readonly document: JsonObject;
  readonly directory: string | undefined;
}

/** A named part of a kubeconfig, and the source it was found in. */
interface Found {
  readonly part: JsonObject;
  readonly source: Source;
}

/** What several kubeconfig files say together: of what two of them define, the first counts. */
export class Kubeconfig {
  readonly #sources: readonly Source[];

  private constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  /** Reads the files of a list as in `KUBECONFIG`. Files that are missing are passed over, as long as one is there. */
  static async read(paths: readonly string[]): Promise<Kubeconfig> {
    const sources: Source[] = [];
    let missing: StoreError | undefined;
    for (const path of paths) {
      try {
        sources.push(readSource(path, await readText(path, "the kubeconfig"), dirname(resolve(path))));
      } catch (error) {
        const isMissing = error instanceof StoreError && error.message.endsWith("no such file");
        if (!isMissing) throw error;
        missing ??= error;
      }
    }
    if (sources.length === 0 && missing !== undefined) throw missing;
    return new Kubeconfig(sources);
  }

  /** A kubeconfig that stands in another file. */
  static parse(yaml: string): Kubeconfig {
    return new Kubeconfig([readSource("kubeconfigInline", yaml, undefined)]);
  }

  /** The context of that name, or the current one. */
  context(named: string | undefined): KubeContext {
    const current = this.#sources.map(({ document }) => text(document["current-context"])).find(isThere);
    const name = named ?? current;
    if (name === undefined) {
      throw this.#refusal(`no current-context is set: name one with --context or K8S_CURRENT_CONTEXT`);
    }
    const context = this.#find("contexts", "context", name, "the context");
    const clusterName = text(context.part["cluster"]) ?? "";
    const userName = text(context.part["user"]);
    const cluster = clusterOf(
      this.#find("clusters", "cluster", clusterName, `the cluster of context ${name},`),
    );
    const user =
      userName === undefined
        ? {}
        : userOf(this.#find("users", "user", userName, `the user of context ${name},`), cluster);
    return { cluster, user };
  }

  #find(section: string, member: string, name: string, what: string): Found {
    const named: string[] = [];
    for (const source of this.#sources) {
      for (const one of list(source.document[section]).map(fields)) {
        if (one["name"] === name) return { part: fields(one[member]), source };
        named.push(text(one["name"]) ?? "");
      }
    }
    const known = named.length === 0 ? "it has none" : `it has ${named.join(", ")}`;
    throw this.#refusal(`${what} '${name}' is not in it; of ${section} ${known}`);
  }

  #refusal(reason: string): StoreError {
    const names = this.#sources.map(({ name }) => name).join(", ");
    return new StoreError("invalid", `kubeconfig ${names}: ${reason}`);
  }
}

function readSource(name: string, yaml: string, directory: string | undefined): Source {
  let document: unknown;
  try {
    document = parse(yaml, { logLevel: "error" });
  } catch (cause) {
    const reason =
      cause instanceof Error ? cause.message.split("\n", 1).join("").replace(/:$/, "") : String(cause);
    throw new StoreError("invalid", `kubeconfig ${name} is not YAML: ${reason}`, { cause });
  }
  const found = fields(document);
  if (found["kind"] !== undefined && found["kind"] !== "Config") {
    throw new StoreError(
      "invalid",
      `kubeconfig ${name}: expected kind 'Config', got '${text(found["kind"]) ?? ""}'`,
    );
  }
  if (list(found["clusters"]).length + list(found["contexts"]).length + list(found["users"]).length === 0) {
    throw new StoreError("invalid", `kubeconfig ${name} has no clusters, users or contexts`);
  }
  return { name, document: found, directory };
}

function clusterOf(found: Found): Cluster {
  const { part, source } = found;
  const server = text(part["server"]);
  if (server === undefined)
    throw new StoreError("invalid", `kubeconfig ${source.name}: a cluster has no server`);
  const proxyUrl = text(part["proxy-url"]);
  if (proxyUrl !== undefined && !isProxyUrl(proxyUrl)) {
    throw new StoreError(
      "invalid",
      `kubeconfig ${source.name}: proxy-url ${proxyUrl} is not a URL of http, https or socks5`,
    );
  }
  return {
    server,
    ca: textOrFile(found, "certificate-authority"),
    insecureSkipTlsVerify: part["insecure-skip-tls-verify"] === true,
    serverName: text(part["tls-server-name"]),
    proxyUrl,
  };
}

function userOf(found: Found, cluster: Cluster): User {
  const { part, source } = found;
  if (part["auth-provider"] !== undefined && part["auth-provider"] !== null) {
    // To pass over it would be to act as another than the one meant.
    const reason = "users with auth-provider are not supported: kubectl has none any more; use exec";
    throw new StoreError("invalid", `kubeconfig ${source.name}: ${reason}`);
  }
  return {
    impersonation: impersonationOf(found),
    token: text(part["token"]),
    tokenFile: pathIn(found, text(part["tokenFile"])),
    username: text(part["username"]),
    password: text(part["password"]),
    cert: textOrFile(found, "client-certificate"),
    key: textOrFile(found, "client-key"),
    exec: part["exec"] === undefined ? undefined : execOf(found, fields(part["exec"]), cluster),
  };
}

/** The headers that ask the server to take us for another. */
function impersonationOf({ part, source }: Found): User["impersonation"] {
  const user = text(part["as"]);
  const uid = text(part["as-uid"]);
  const groups = list(part["as-groups"]).map(String);
  const extra = Object.entries(fields(part["as-user-extra"]));
  if (user === undefined) {
    if (uid === undefined && groups.length === 0 && extra.length === 0) return undefined;
    throw new StoreError("invalid", `kubeconfig ${source.name}: as-uid, as-groups and as-user-extra need as`);
  }
  return {
    "impersonate-user": [user],
    ...(uid === undefined ? {} : { "impersonate-uid": [uid] }),
    ...(groups.length === 0 ? {} : { "impersonate-group": groups }),
    ...Object.fromEntries(
      extra.map(([key, values]) => [
        `impersonate-extra-${headerPart(key.toLowerCase())}`,
        list(values).map(String),
      ]),
    ),
  };
}

/** As it may stand in a header's name (RFC 9110 §5.6.2), in which a server reads percent signs as in a path. */
function headerPart(key: string): string {
  return encodeURIComponent(key).replaceAll("(", "%28").replaceAll(")", "%29");
}

function execOf(found: Found, exec: JsonObject, cluster: Cluster): ExecPlugin {
  const command = text(exec["command"]);
  const apiVersion = text(exec["apiVersion"]);
  if (command === undefined || apiVersion === undefined) {
    throw new StoreError("invalid", `kubeconfig ${found.source.name}: exec needs command and apiVersion`);
  }
  const env = list(exec["env"]).map((one) => {
    const { name, value } = fields(one);
    return [text(name) ?? "", text(value) ?? ""] as const;
  });
  const { server, insecureSkipTlsVerify, serverName } = cluster;
  const told = {
    server,
    "insecure-skip-tls-verify": insecureSkipTlsVerify,
    ...(cluster.ca.text === undefined
      ? {}
      : { "certificate-authority-data": Buffer.from(cluster.ca.text).toString("base64") }),
    ...(serverName === undefined ? {} : { "tls-server-name": serverName }),
    ...(cluster.proxyUrl === undefined ? {} : { "proxy-url": cluster.proxyUrl }),
  };
  return {
    apiVersion,
    // A bare name is looked for on the PATH.
    command: command.includes("/") ? (pathIn(found, command) ?? command) : command,
    args: list(exec["args"]).map(String),
    env: Object.fromEntries(env),
    installHint: text(exec["installHint"]),
    cluster: exec["provideClusterInfo"] === true ? told : undefined,
  };
}

/** `NAME-data` holds a text in base64 and comes before `NAME`, the path of a file. */
function textOrFile(found: Found, name: string): TextOrFile {
  const data = text(found.part[`${name}-data`]);
  if (data === undefined) return { file: pathIn(found, text(found.part[name])) };
  return { text: Buffer.from(data, "base64").toString("utf8") };
}

function pathIn({ source }: Found, path: string | undefined): string | undefined {
  if (path === undefined || isAbsolute(path) || source.directory === undefined) return path;
  return resolve(source.directory, path);
}

function isThere(value: string | undefined): value is string {
  return value !== undefined;
}
