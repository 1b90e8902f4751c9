/** The order of two keys by their UTF-8 bytes, which is that of their code points and not of their UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return orderUnit(left) - orderUnit(right);
  }
  return a.length - b.length;
}

/** Surrogates (0xD800–0xDFFF) stand for code points above every other unit, so they move behind 0xFFFF. */
function orderUnit(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
