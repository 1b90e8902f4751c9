import { StoreError } from "@caracal/datastore";

/** PEM texts. Without `ca`, the system's authorities are trusted; `cert` and `key` go together. */
export interface EtcdTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** How to reach an etcd, or anything that speaks its v3 API. */
export interface EtcdConfig {
  /** `http://HOST:PORT`, `https://HOST:PORT` or `unix:///PATH`; the first that answers is used. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  /** Gives `tls` anew for every connection, for files that are renewed on the disk; while it throws, the last ones are good. */
  readonly renewedTls?: () => EtcdTls;
  /** Used only with `password`. */
  readonly username?: string;
  readonly password?: string;
}

/** Reads a file as text, or throws. */
export type ReadText = (path: string) => string;

/**
 * The connection Calico's environment variables describe, or `undefined` when they name no endpoint. Each name is also
 * read with the prefix `CALICO_`, which wins. A file that cannot be read is a `StoreError` "invalid".
 */
export function configFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  readText: ReadText,
): EtcdConfig | undefined {
  const value = (name: string): string | undefined =>
    nonEmpty(environment[`CALICO_${name}`]) ?? nonEmpty(environment[name]);
  const text = value("ETCD_ENDPOINTS");
  if (text === undefined) return undefined;
  const endpoints = text
    .split(",")
    .map((endpoint) => endpoint.trim())
    .filter((endpoint) => endpoint !== "");
  const pem = (name: string): string | undefined => {
    const path = value(name);
    return path === undefined ? undefined : readPem(name, path, readText);
  };
  const renewedTls = (): EtcdTls =>
    present({ ca: pem("ETCD_CA_CERT_FILE"), cert: pem("ETCD_CERT_FILE"), key: pem("ETCD_KEY_FILE") });
  const tls = renewedTls();
  const login = present({ username: value("ETCD_USERNAME"), password: value("ETCD_PASSWORD") });
  return { endpoints, ...(Object.keys(tls).length > 0 ? { tls, renewedTls } : {}), ...login };
}

function readPem(name: string, path: string, readText: ReadText): string {
  try {
    return readText(path);
  } catch (cause) {
    throw new StoreError("invalid", `cannot read ${path}, which ${name} names`, { cause });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** The object without its undefined fields. */
function present<Name extends string>(
  fields: Readonly<Record<Name, string | undefined>>,
): Partial<Record<Name, string>> {
  const result: Partial<Record<Name, string>> = {};
  for (const name of keysOf(fields)) {
    const value = fields[name];
    if (value !== undefined) result[name] = value;
  }
  return result;
}

function keysOf<Name extends string>(fields: Readonly<Record<Name, unknown>>): readonly Name[] {
  const names: Name[] = [];
  for (const name in fields) names.push(name);
  return names;
}
