// Aim: failed items wait longer and longer, within bounds. Method: a few items and times by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs, RetryBook } from "./retry-book.ts";

test("waiting doubles up to the bound, whatever the number of attempts", () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 1000].map((attempts) => backoffMs(attempts, 10, 100)),
    [10, 20, 40, 80, 100, 100],
  );
});

test("an item waits until it is due, is hastened, and is forgotten", () => {
  const book = new RetryBook<string>(10, 100);
  assert.equal(book.deadline, undefined);
  book.fail("a", 0, "EX", "why");
  book.fail("b", 5, "EX", "why");
  book.fail("b", 5, "EY", "still");
  assert.equal(book.deadline, 10);
  assert.deepEqual(
    [book.isWaiting("a", 9), book.isWaiting("a", 10), book.isWaiting("c", 0)],
    [true, false, false],
  );
  assert.deepEqual(book.due(10), ["a"]);
  book.hasten(12);
  assert.deepEqual(book.due(12), ["a", "b"]);
  assert.deepEqual(new Map(book.entries()).get("b"), {
    errno: "EY",
    detail: "still",
    attempts: 2,
    dueAt: 12,
  });
  book.forget("a");
  assert.equal(book.size, 1);
  book.fail("a", 20, "EX", "again");
  assert.equal(new Map(book.entries()).get("a")?.attempts, 1);
});
