import type { Store } from "@caracal/datastore";

/** The same store without transactions, as Kubernetes' is. */
export function singleWrites(store: Store): Store {
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    create: (key, value) => store.create(key, value),
    update: (key, value, revision) => store.update(key, value, revision),
    delete: (key, revision) => store.delete(key, revision),
    watch: (prefix, after, signal) => store.watch(prefix, after, signal),
    close: () => store.close(),
  };
}
