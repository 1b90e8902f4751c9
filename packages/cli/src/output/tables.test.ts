/**
 * Aim: tables look as calicoctl's do. Method: outputs that its users posted, cell by cell and blank by blank, then the
 * rules of the two table writers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { boxTable } from "./box-table.ts";
import { columnsOf } from "./columns.ts";
import { formatRounded, formatShort } from "./go-number.ts";
import { tabTable } from "./tab-table.ts";

test("a tab table pads every cell, the last one too", () => {
  assert.equal(
    tabTable([
      ["NAME", "CIDR", "SELECTOR"],
      ["default-ipv4-ippool", "10.244.0.0/16", "all()"],
    ]),
    "NAME                  CIDR            SELECTOR   \ndefault-ipv4-ippool   10.244.0.0/16   all()      \n",
  );
});

test("a tab table keeps empty columns and a least width", () => {
  assert.equal(
    tabTable([
      ["A", "B"],
      ["", ""],
    ]),
    "A    B    \n          \n",
  );
  assert.equal(
    tabTable([
      ["é", "x"],
      ["ab", "y"],
    ]),
    "é    x    \nab   y    \n",
  );
});

test("a box table centres headings and puts numbers to the right", () => {
  assert.equal(
    boxTable(
      ["GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS FREE"],
      [
        ["IP Pool", "10.244.0.0/16", "65536", "10 (0%)", "65526 (100%)"],
        ["Block", "10.244.120.64/26", "64", "5 (8%)", "59 (92%)"],
        ["Block", "10.244.205.192/26", "64", "5 (8%)", "59 (92%)"],
      ],
    ),
    [
      "+----------+-------------------+-----------+------------+--------------+",
      "| GROUPING |       CIDR        | IPS TOTAL | IPS IN USE |   IPS FREE   |",
      "+----------+-------------------+-----------+------------+--------------+",
      "| IP Pool  | 10.244.0.0/16     |     65536 | 10 (0%)    | 65526 (100%) |",
      "| Block    | 10.244.120.64/26  |        64 | 5 (8%)     | 59 (92%)     |",
      "| Block    | 10.244.205.192/26 |        64 | 5 (8%)     | 59 (92%)     |",
      "+----------+-------------------+-----------+------------+--------------+",
      "",
    ].join("\n"),
  );
});

test("a box table without rows has no lower border", () => {
  assert.equal(boxTable(["IP"], []), "+----+\n| IP |\n+----+\n");
});

test("numbers print as Go's %.5g and %.f", () => {
  assert.deepEqual([0, 64, 65536, 99999, 100000, 1048576, 2 ** 70, 0.5].map(formatShort), [
    "0",
    "64",
    "65536",
    "99999",
    "1e+05",
    "1.0486e+06",
    "1.1806e+21",
    "0.5",
  ]);
  assert.deepEqual([0.5, 1.5, 12.5, 87.5, 7.8, 92.2, 99.98].map(formatRounded), [
    "0",
    "2",
    "12",
    "88",
    "8",
    "92",
    "100",
  ]);
});

test("a long list is cut to 80 characters, its dots among them", () => {
  const found = columnsOf("GlobalNetworkSet", "wide");
  assert.ok(found.kind === "ok");
  const netsOf = (nets: readonly string[]): string | undefined =>
    found.columns
      .find(({ heading }) => heading === "NETS")
      ?.cell(
        {
          kind: "GlobalNetworkSet",
          apiVersion: "projectcalico.org/v3",
          metadata: { name: "x" },
          spec: { nets },
        },
        { clusterAsNumber: 64512 },
      );
  const eighty = [...Array.from({ length: 7 }, () => "10.0.0.0/8"), "1.2"];
  assert.equal(netsOf(eighty), eighty.join(","));
  assert.equal(netsOf([...eighty, "x"]), `${eighty.join(",").slice(0, 77)}...`);
});
