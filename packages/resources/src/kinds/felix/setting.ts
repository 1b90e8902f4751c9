import { Type } from "../../type.ts";
import { anyCase, choice, port, text } from "../../resource-schema.ts";

/** Settings of the node agent by type. `absent` is what holds where a setting is not given; empty is nothing. */
export function flag(absent: boolean | "") {
  return Type.Optional(Type.Boolean(describe(absent)));
}

export function whole(
  absent: number | "",
  range: { readonly minimum?: number; readonly maximum?: number } = {},
) {
  return Type.Optional(Type.Integer({ ...range, ...describe(absent) }));
}

export function words(absent: string) {
  return Type.Optional(Type.String(describe(absent)));
}

/** Text in one of the forms of `formats`. */
export function form(format: string, absent = "") {
  return Type.Optional(text(format, describe(absent)));
}

export function duration(absent: string) {
  return form("goDuration", absent);
}

export function pattern(expression: string, absent = "") {
  return Type.Optional(Type.String({ pattern: expression, ...describe(absent) }));
}

/** One of several words, spelt as here. */
export function oneOf<Words extends string[]>(choices: readonly [...Words], absent: Words[number]) {
  return Type.Optional(choice(choices, describe(absent)));
}

/** One of several words, in any case. */
export function oneOfAnyCase(choices: readonly string[], absent: string) {
  return Type.Optional(anyCase(choices, describe(absent)));
}

export function list(format: string, absent = "") {
  return Type.Optional(Type.Array(text(format), describe(absent)));
}

/** A port or range of ports. */
export function portRange(absent: string) {
  return Type.Optional({ ...port("portRange", 0), ...describe(absent) });
}

function describe(absent: boolean | number | string): { readonly description?: string } {
  return absent === "" ? {} : { description: `${absent} where absent.` };
}
