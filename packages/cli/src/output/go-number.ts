/** A number as Go's `%.5g` prints it: five significant digits, no trailing zeros, `1.0486e+06` from 100000 on. */
export function formatShort(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const exponent = Number(/e([+-]\d+)$/.exec(value.toExponential(4))?.[1]);
  if (exponent >= -4 && exponent < 5) return String(Number(value.toPrecision(5)));
  const [digits = "", power = ""] = value.toExponential(4).split("e");
  return `${String(Number(digits))}e${power.slice(0, 1)}${power.slice(1).padStart(2, "0")}`;
}

/** A number as Go's `%v` prints a float: the shortest digits that read back the same, `1e+06` from a million on. */
export function formatFloat(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const [digits = "", power = ""] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** A number rounded to an integer as Go's `%.f` does: a half goes to the even neighbour. */
export function formatRounded(value: number): string {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return String(Math.round(value));
  return String(floor % 2 === 0 ? floor : floor + 1);
}
