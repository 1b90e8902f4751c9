import { Canceller } from "../canceller.ts";
import { maxTransactionSteps, Revision, type Store, type TransactionStep } from "../store.ts";
import { brief, collect, fails, same, type StoreCase, type StoreSubject, written } from "./subject.ts";

/** A store with transactions; the cases have nothing to say of one without. */
type Transacting = Store & Required<Pick<Store, "transact">>;

/** What transactions promise, where a store has them. */
export const transactionCases: readonly StoreCase[] = [
  { name: "a transaction creates, updates, deletes and expects at one revision", run: over(allKinds) },
  {
    name: "a transaction of which one step is refused does nothing, and shows what there is",
    run: over(refusals),
  },
  { name: "a transaction that only expects changes nothing", run: over(onlyExpects) },
  { name: "a watch tells a transaction in one batch", run: over(watched) },
  { name: "of racing transactions that share a key one wins", run: over(racing) },
  { name: "a transaction with too many steps, or a key twice, is refused", run: over(bounds) },
];

function over(
  run: (store: Transacting, subject: StoreSubject) => Promise<void>,
): (subject: StoreSubject) => Promise<void> {
  return async (subject) => {
    if (hasTransactions(subject.store)) await run(subject.store, subject);
  };
}

function hasTransactions(store: Store): store is Transacting {
  return store.transact !== undefined;
}

async function allKinds(store: Transacting, { root }: StoreSubject): Promise<void> {
  const updated = written(await store.create(`${root}updated`, "1"));
  const deleted = written(await store.create(`${root}deleted`, "1"));
  const expected = written(await store.create(`${root}expected`, "1"));
  const outcome = await store.transact([
    { kind: "create", key: `${root}created`, value: "new" },
    { kind: "update", key: updated.key, value: "2", revision: updated.revision },
    { kind: "delete", key: deleted.key, revision: deleted.revision },
    { kind: "expect", key: expected.key, revision: expected.revision },
  ]);
  if (outcome.kind !== "ok") throw new Error("the transaction was refused");
  const { revision } = outcome;
  const wanted = [
    { key: `${root}created`, value: "new", revision },
    expected,
    { key: updated.key, value: "2", revision },
  ];
  same((await store.list(root)).entries, wanted, "the entries afterwards");
}

async function refusals(store: Transacting, { root }: StoreSubject): Promise<void> {
  const there = written(await store.create(`${root}there`, "1"));
  const stale = there.revision;
  const current = written(await store.update(there.key, "2", stale));
  const gone = written(await store.create(`${root}gone`, "1"));
  written(await store.delete(gone.key));
  const good: TransactionStep = { kind: "create", key: `${root}good`, value: "1" };
  const bad: readonly (readonly [TransactionStep, typeof current | undefined])[] = [
    [{ kind: "create", key: there.key, value: "3" }, current],
    [{ kind: "update", key: there.key, value: "3", revision: stale }, current],
    [{ kind: "delete", key: there.key, revision: stale }, current],
    [{ kind: "expect", key: there.key, revision: stale }, current],
    [{ kind: "update", key: gone.key, value: "3", revision: gone.revision }, undefined],
    [{ kind: "delete", key: gone.key, revision: gone.revision }, undefined],
    [{ kind: "expect", key: gone.key, revision: gone.revision }, undefined],
  ];
  for (const [step, found] of bad) {
    const outcome = await store.transact([good, step]);
    const shown = outcome.kind === "refused" ? outcome.current.map((entry) => entry ?? null) : outcome.kind;
    same(shown, [null, found ?? null], `a transaction with a bad ${step.kind} of ${step.key}`);
  }
  same((await store.list(root)).entries, [current], "the entries afterwards");
}

async function onlyExpects(store: Transacting, { root }: StoreSubject): Promise<void> {
  const entry = written(await store.create(`${root}a`, "1"));
  const outcome = await store.transact([{ kind: "expect", key: entry.key, revision: entry.revision }]);
  same(outcome.kind, "ok", "the outcome");
  same((await store.list(root)).entries, [entry], "the entries afterwards");
}

async function watched(store: Transacting, subject: StoreSubject): Promise<void> {
  const { root } = subject;
  const { revision: after } = await store.list(root);
  const outcome = await store.transact([
    { kind: "create", key: `${root}a`, value: "1" },
    { kind: "create", key: `${root}b`, value: "2" },
  ]);
  const stop = new Canceller();
  const batches = store.watch(root, after, stop);
  const events = await collect(batches, () => true);
  stop.abort();
  const revision = outcome.kind === "ok" ? outcome.revision : "";
  const wanted = [`create ${root}a @${revision} 1`, `create ${root}b @${revision} 2`];
  same(
    events.map((event) => brief(subject, event)),
    wanted,
    "the first batch",
  );
}

async function racing(store: Transacting, { root }: StoreSubject): Promise<void> {
  const shared = written(await store.create(`${root}shared`, "start"));
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      store.transact([
        { kind: "update", key: shared.key, value: String(index), revision: shared.revision },
        { kind: "create", key: `${root}own-${index}`, value: "1" },
      ]),
    ),
  );
  same(outcomes.filter(({ kind }) => kind === "ok").length, 1, "how many transactions won");
  same((await store.list(`${root}own-`)).entries.length, 1, "how many left their mark");
}

async function bounds(store: Transacting, { root }: StoreSubject): Promise<void> {
  const creations = (count: number): TransactionStep[] =>
    Array.from({ length: count }, (_, index) => ({ kind: "create", key: `${root}${index}`, value: "1" }));
  await fails("invalid", "too many steps", () => store.transact(creations(maxTransactionSteps + 1)));
  const [once] = creations(1);
  if (once === undefined) throw new Error("no step");
  await fails("invalid", "a key twice", () => store.transact([once, once]));
  const revision = Revision.of("x");
  const malformed = { kind: "update", key: root, value: "1", revision } as const;
  await fails("invalid", "no revision", () => store.transact([malformed]));
  same((await store.list(root)).entries, [], "what refused transactions left");
  same((await store.transact(creations(maxTransactionSteps))).kind, "ok", "as many steps as are allowed");
}
