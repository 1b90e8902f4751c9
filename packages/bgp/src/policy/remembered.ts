/**
 * A function of an object that computes each answer once. Routes arrive in runs that share their attributes, so the last
 * answer is looked at first. But for that
 * one, nothing is kept of objects that are gone.
 */
export function remembered<K extends object, V extends object | boolean>(
  compute: (key: K) => V,
): (key: K) => V {
  const known = new WeakMap<K, V>();
  let lastKey: K | undefined;
  let last: V | undefined;
  return (key) => {
    if (last !== undefined && lastKey === key) return last;
    let value = known.get(key);
    if (value === undefined) {
      value = compute(key);
      known.set(key, value);
    }
    lastKey = key;
    last = value;
    return value;
  };
}
