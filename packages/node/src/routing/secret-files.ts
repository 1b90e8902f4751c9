import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SecretKey } from "@caracal/intent";

/** How often files that were asked for are looked at again. */
const lookMs = 2_000;

export interface SecretFilesOptions {
  /** Holds `<namespace>/<name>/<key>`, as Kubernetes mounts secrets; without it there are none. */
  readonly directory: string | undefined;
  readonly namespace: string;
  /** A secret that was asked for has come, gone or changed. */
  readonly onChange: () => void;
}

/** Secrets from files, each as it was when last looked at. Files that nobody asked for are not read. */
export class SecretFiles implements Disposable {
  readonly #options: SecretFilesOptions;
  readonly #known = new Map<string, string | undefined>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SecretFilesOptions) {
    this.#options = options;
  }

  /** The secret's text without a newline at its end, or undefined where it is not there. */
  read({ name, key }: SecretKey): string | undefined {
    const { directory, namespace } = this.#options;
    // Kubernetes' names of secrets and keys; nothing outside the directory is one.
    if (
      directory === undefined ||
      ![name, key].every((part) => /^[-._a-zA-Z0-9]+$/.test(part) && !/^\.+$/.test(part))
    )
      return undefined;
    const path = join(directory, namespace, name, key);
    if (!this.#known.has(path)) this.#known.set(path, readSecret(path));
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref();
    return this.#known.get(path);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    let hasChanged = false;
    for (const [path, before] of this.#known) {
      const text = readSecret(path);
      if (text === before) continue;
      this.#known.set(path, text);
      hasChanged = true;
    }
    if (hasChanged) this.#options.onChange();
  }
}

function readSecret(path: string): string | undefined {
  try {
    // An editor ends the file with a newline, which no password does.
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch {
    return undefined;
  }
}
