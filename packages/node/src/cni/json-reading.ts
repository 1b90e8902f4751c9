import { messageOf } from "@caracal/net";
import { isRecord } from "@caracal/resources";
import { CniCode, CniError } from "./cni-error.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Typed reading of a JSON object that a person or another plugin wrote. A member that is absent or null is `undefined`;
 * one of another type throws a `CniError` that names it by path, what it is and what it may be.
 */
export class JsonReading {
  readonly value: JsonObject;
  readonly #path: string;

  private constructor(value: JsonObject, path: string) {
    this.value = value;
    this.#path = path;
  }

  static of(value: JsonObject): JsonReading {
    return new JsonReading(value, "");
  }

  /** Parses a text that must hold one object. `what` names it in the error. */
  static parse(text: string, what: string): JsonReading {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      const reason = messageOf(cause);
      throw new CniError(CniCode.decodeFailure, `${what} is no JSON`, reason, { cause });
    }
    if (!isRecord(value)) throw new CniError(CniCode.decodeFailure, `${what} is no JSON object`);
    if (!isWithin(value, nestingMost)) {
      // Parts of it are written again, and that takes a stack.
      throw new CniError(CniCode.decodeFailure, `${what} is nested more than ${nestingMost} deep`);
    }
    return JsonReading.of(value);
  }

  text(key: string): string | undefined {
    return this.#read(key, "text", (value) => (typeof value === "string" ? value : undefined));
  }

  /** A whole number from `minimum` to `maximum`. */
  integer(key: string, minimum: number, maximum: number): number | undefined {
    return this.#read(key, `a whole number from ${minimum} to ${maximum}`, (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum
        ? value
        : undefined,
    );
  }

  /** A boolean, or Calico's spelling of one as text. */
  flag(key: string): boolean | undefined {
    return this.#read(key, "true or false", (value) => {
      const text = typeof value === "string" ? value.toLowerCase() : String(value);
      return text === "true" || text === "false" ? text === "true" : undefined;
    });
  }

  texts(key: string): readonly string[] | undefined {
    return this.#read(key, "a list of texts", (value) =>
      Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined,
    );
  }

  object(key: string): JsonReading | undefined {
    return this.#read(key, "an object", (value) =>
      isRecord(value) ? new JsonReading(value, this.#pathOf(key)) : undefined,
    );
  }

  /** An object whose members are all texts. */
  textMap(key: string): ReadonlyMap<string, string> | undefined {
    return this.#read(key, "an object of texts", (value) => {
      const members = isRecord(value) ? Object.entries(value) : [];
      const texts = members.flatMap(([name, item]) =>
        typeof item === "string" ? [[name, item] as const] : [],
      );
      return isRecord(value) && texts.length === members.length ? new Map(texts) : undefined;
    });
  }

  objects(key: string): readonly JsonReading[] | undefined {
    return this.#read(key, "a list of objects", (value) =>
      Array.isArray(value) && value.every(isRecord)
        ? value.map((item, index) => new JsonReading(item, `${this.#pathOf(key)}[${index}]`))
        : undefined,
    );
  }

  /** A member that must be there. */
  required<Value>(key: string, value: Value | undefined): Value {
    if (value !== undefined) return value;
    throw new CniError(CniCode.invalidConfig, `${this.#pathOf(key)} is missing`);
  }

  #read<Value>(key: string, allowed: string, read: (value: unknown) => Value | undefined): Value | undefined {
    const found = Object.hasOwn(this.value, key) ? this.value[key] : undefined;
    if (found === undefined || found === null) return undefined;
    const value = read(found);
    if (value !== undefined) return value;
    const shown = JSON.stringify(found).slice(0, shownCharacters);
    throw new CniError(CniCode.invalidConfig, `${this.#pathOf(key)} must be ${allowed}`, `it is ${shown}`);
  }

  #pathOf(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }
}

const shownCharacters = 80;
/** Ten times what a configuration with results in it has. */
const nestingMost = 100;

function isWithin(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((item) => isWithin(item, depth - 1));
}
