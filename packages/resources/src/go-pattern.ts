/**
 * The expression that a text means to Go, whose syntax Calico's settings are written in, or `undefined` for what is none there:
 * Go has flags and names of groups of its own, and neither looks around nor back.
 */
export function compileGoPattern(text: string): RegExp | undefined {
  if (/(?<!\\)(?:\\\\)*(?:\(\?(?:[=!]|<[=!])|\\[1-9k])/.test(text)) return undefined;
  const [, flags = "", rest = text] = /^\(\?([imsU]+)\)(.*)$/s.exec(text) ?? [];
  const source = rest.replaceAll("(?P<", "(?<").replaceAll(/\[:(\w+):\]/g, posixClass);
  try {
    return new RegExp(source, flags.replaceAll("U", ""));
  } catch {
    return undefined;
  }
}

/** A POSIX class as it stands inside of brackets. */
function posixClass(whole: string, name: string): string {
  return posixClasses[name] ?? whole;
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  digit: "0-9",
  lower: "a-z",
  upper: "A-Z",
  space: String.raw`\s`,
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};
