/**
 * Columns grow by this factor. Memory that was never written costs nothing, but each copy is written anew, and a page's
 * first write is dear: few large steps are cheaper than many small ones.
 */
export const growthFactor = 4;

/** A copy of a column with room for `capacity` values, the new ones zero. */
export function grown(column: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(column);
  return larger;
}

/** The same for bytes. */
export function grownBytes(column: Uint8Array, capacity: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(capacity);
  larger.set(column);
  return larger;
}
