import { Revision, type WriteOutcome } from "../store.ts";
import { fails, same, type StoreCase, type StoreSubject, textOf, valueOf, written } from "./subject.ts";

const megabyte = 1_048_576;

/** What reads of one key and writes promise. */
export const writeCases: readonly StoreCase[] = [
  { name: "a created entry is read back as it was answered", run: createAndGet },
  { name: "create refuses a taken key and shows what is there", run: createTaken },
  { name: "update needs the current revision", run: updateOutcomes },
  { name: "delete with, without and with a stale revision", run: deleteOutcomes },
  { name: "a key may be created again after its delete", run: createAgain },
  { name: "of racing creates one wins", run: racingCreates },
  { name: "of racing updates with one revision one wins", run: racingUpdates },
  { name: "counting by read and update loses nothing", run: counting },
  { name: "values survive: empty, unicode, one megabyte", needsAnyForm: true, run: values },
  { name: "text that is no revision is refused", run: badRevision },
  { name: "a closed store answers nothing", run: closed },
];

async function createAndGet(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const key = `${root}a`;
  same(await store.get(key), undefined, "a key never written");
  const entry = written(await store.create(key, valueOf(subject, '{"n":1}')));
  same([entry.key, textOf(subject, entry.value)], [key, '{"n":1}'], "the created entry");
  same(await store.get(key), entry, "the entry read back");
  same((await store.list(key)).entries, [entry], "the entry listed");
}

async function createTaken(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const entry = written(await store.create(`${root}a`, valueOf(subject, "1")));
  same(
    await store.create(`${root}a`, valueOf(subject, "2")),
    { kind: "exists", current: entry },
    "the second create",
  );
  same(await store.get(`${root}a`), entry, "the entry afterwards");
}

async function updateOutcomes(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const key = `${root}a`;
  const first = written(await store.create(key, valueOf(subject, "1")));
  const second = written(await store.update(key, valueOf(subject, "2"), first.revision));
  same(second.revision === first.revision, false, "whether the revision stayed");
  same(await store.get(key), second, "the entry after its update");
  const stale = await store.update(key, valueOf(subject, "3"), first.revision);
  same(stale, { kind: "conflict", current: second }, "an update with a stale revision");
  same(
    await store.update(`${root}b`, valueOf(subject, "1"), first.revision),
    { kind: "missing" },
    "an update of nothing",
  );
  same(await store.get(`${root}b`), undefined, "what the update of nothing left");
}

async function deleteOutcomes(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const key = `${root}a`;
  same(await store.delete(key), { kind: "missing" }, "a delete of nothing");
  const first = written(await store.create(key, valueOf(subject, "1")));
  const second = written(await store.update(key, valueOf(subject, "2"), first.revision));
  const stale = await store.delete(key, first.revision);
  same(stale, { kind: "conflict", current: second }, "a delete with a stale revision");
  same(await store.delete(key, second.revision), { kind: "ok", entry: second }, "a delete");
  same(await store.get(key), undefined, "the key after its delete");
  const gone = await store.delete(key, second.revision);
  same(gone, { kind: "missing" }, "a second delete with a revision");
  const third = written(await store.create(key, valueOf(subject, "3")));
  same(await store.delete(key), { kind: "ok", entry: third }, "a delete without a revision");
}

async function createAgain(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const first = written(await store.create(`${root}a`, valueOf(subject, "1")));
  written(await store.delete(`${root}a`, first.revision));
  const second = written(await store.create(`${root}a`, valueOf(subject, "2")));
  const stale = await store.update(`${root}a`, valueOf(subject, "3"), first.revision);
  same(stale, { kind: "conflict", current: second }, "an update with the revision of an earlier life");
}

async function racingCreates(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const tries = Array.from({ length: 8 }, (_, index) =>
    store.create(`${root}a`, valueOf(subject, String(index))),
  );
  await oneWins(subject, await Promise.all(tries), "exists");
}

async function racingUpdates(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const { revision } = written(await store.create(`${root}a`, valueOf(subject, "start")));
  const tries = Array.from({ length: 8 }, (_, index) =>
    store.update(`${root}a`, valueOf(subject, String(index)), revision),
  );
  await oneWins(subject, await Promise.all(tries), "conflict");
}

async function oneWins(
  { store, root }: Pick<StoreSubject, "store" | "root">,
  outcomes: readonly WriteOutcome[],
  refusal: WriteOutcome["kind"],
): Promise<void> {
  const winners = outcomes.filter((outcome) => outcome.kind === "ok");
  same(winners.length, 1, "how many writes won");
  const current = await store.get(`${root}a`);
  for (const outcome of outcomes) {
    const expected = outcome.kind === "ok" ? { kind: "ok", entry: current } : { kind: refusal, current };
    same(outcome, expected, "a racing write");
  }
}

async function counting(subject: StoreSubject): Promise<void> {
  const { store, root, open } = subject;
  const second = await open();
  written(await store.create(`${root}count`, valueOf(subject, "0")));
  const workers = [store, second, store, second];
  const count = async (client: typeof store): Promise<void> => {
    for (let done = 0; done < 10;) {
      const entry = await client.get(`${root}count`);
      if (entry === undefined) throw new Error("the counter is gone");
      const outcome = await client.update(
        entry.key,
        valueOf(subject, String(Number(textOf(subject, entry.value)) + 1)),
        entry.revision,
      );
      if (outcome.kind === "ok") done += 1;
    }
  };
  await Promise.all(workers.map(count));
  same(textOf(subject, (await store.get(`${root}count`))?.value ?? ""), "40", "the counter");
  await second.close();
}

async function values({ store, root }: StoreSubject): Promise<void> {
  const samples = ["", "{}", 'Ünïcödé 東京 😀 \u0000\n"\\', "é".repeat(megabyte / 2)];
  for (const [index, value] of samples.entries()) {
    const entry = written(await store.create(`${root}${index}`, value));
    same(entry.value, value, `the answer for sample ${index}`);
    same((await store.get(`${root}${index}`))?.value, value, `sample ${index} read back`);
  }
  written(await store.create(`${root}schlüssel-東京-😀`, "1"));
  same((await store.get(`${root}schlüssel-東京-😀`))?.value, "1", "the value of a unicode key");
}

async function badRevision(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  written(await store.create(`${root}a`, valueOf(subject, "1")));
  for (const text of ["", "x", "-1", "1.5", "99999999999999999999"]) {
    const revision = Revision.of(text);
    await fails("invalid", `an update with revision '${text}'`, () =>
      store.update(`${root}a`, valueOf(subject, "2"), revision),
    );
    await fails("invalid", `a delete with revision '${text}'`, () => store.delete(`${root}a`, revision));
  }
}

async function closed({ open, root }: StoreSubject): Promise<void> {
  const store = await open();
  await store.close();
  await store.close();
  await fails("unavailable", "get after close", () => store.get(root));
  await fails("unavailable", "list after close", () => store.list(root));
  await fails("unavailable", "create after close", () => store.create(root, ""));
}
