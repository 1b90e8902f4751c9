import type { Credentials, Identity } from "../api/api-server.ts";
import { CachedValue } from "./cached-value.ts";
import { type ExecPlugin, runExecPlugin } from "./exec-plugin.ts";
import { readText } from "./read-text.ts";

/** Files are read again after so long: whoever rotates them leaves the old one valid for longer. */
const fileAgeMs = 60_000;

/** A PEM text, or the file that it is in. */
export interface TextOrFile {
  readonly text?: string | undefined;
  readonly file?: string | undefined;
}

/** What a kubeconfig, the environment or a pod says of who we are. */
export interface User {
  readonly token?: string | undefined;
  /** Read again now and then; `token` is for when it is not there. */
  readonly tokenFile?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly cert?: TextOrFile | undefined;
  readonly key?: TextOrFile | undefined;
  readonly exec?: ExecPlugin | undefined;
  /** Headers that ask the server to take us for another. */
  readonly impersonation?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Credentials of a user; what has a file or a program is got from there when it is needed. */
export function credentialsOf(user: User): Credentials {
  const cached = new CachedValue(() => identify(user));
  return { present: () => cached.get(), forget: () => cached.forget() };
}

async function identify(user: User): Promise<{ readonly value: Identity; readonly goodUntilMs: number }> {
  const now = Date.now();
  const hasFile = [user.tokenFile, user.cert?.file, user.key?.file].some((file) => file !== undefined);
  const certificate = await certificateOf(user);
  const authorization = await authorizationOf(user);
  const own = {
    ...(certificate === undefined ? {} : { certificate }),
    ...(authorization === undefined ? {} : { authorization }),
  };
  if (user.exec === undefined || authorization !== undefined || certificate !== undefined) {
    return { value: own, goodUntilMs: hasFile ? now + fileAgeMs : Number.POSITIVE_INFINITY };
  }
  return runExecPlugin(user.exec);
}

async function authorizationOf(user: User): Promise<string | undefined> {
  const { token, tokenFile, username, password } = user;
  const read = tokenFile === undefined ? undefined : await readText(tokenFile, "the token");
  const bearer = read?.trim() || token;
  if (bearer !== undefined) return `Bearer ${bearer}`;
  if (username === undefined) return undefined;
  // RFC 7617 §2.
  return `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}`;
}

async function certificateOf({ cert, key }: User): Promise<Identity["certificate"]> {
  const [certText, keyText] = await Promise.all([
    textOf(cert, "the client certificate"),
    textOf(key, "the client key"),
  ]);
  return certText === undefined || keyText === undefined ? undefined : { cert: certText, key: keyText };
}

async function textOf(source: TextOrFile | undefined, what: string): Promise<string | undefined> {
  if (source?.text !== undefined) return source.text;
  return source?.file === undefined ? undefined : readText(source.file, what);
}
