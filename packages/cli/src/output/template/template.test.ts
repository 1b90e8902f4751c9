/** Aim: templates in use with calicoctl print what Go would, and others are refused in one line. Method: templates and their text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, pool, storeOf } from "../../../test/resources-fixture.ts";
import { run } from "../../../test/test-context.ts";
import { parseTemplate } from "./parse-template.ts";
import { runTemplate } from "./run-template.ts";

function render(template: string, data: unknown): string {
  return runTemplate(parseTemplate(template), data);
}

test("a list of lists, by Go's names and by the documents'", async () => {
  const store = await storeOf({ ...nodes, "ippools/p": pool });
  for (const [line, stdout] of [
    [
      "{{range .}}{{range .Items}}{{.ObjectMeta.Name}},{{end}}{{end}}",
      "master.whale.com,node1.whale.com,node2.whale.com,",
    ],
    [
      "{{range .}}{{range .items}}{{.metadata.name}} {{.spec.bgp.asNumber}};{{end}}{{end}}",
      "master.whale.com ;node1.whale.com ;node2.whale.com 65001;",
    ],
    [
      "{{range .}}{{range $i, $n := .Items}}{{$i}}={{$n.Spec.BGP.IPv4Address}} {{end}}{{end}}",
      "0=192.168.0.80/24 1=192.168.0.81/24 2=192.168.0.82/24 ",
    ],
  ] as const) {
    assert.deepEqual(await run(["get", "nodes", "-o", `go-template=${line}`], { store }), {
      exitCode: 0,
      stdout,
      stderr: "",
    });
  }
  const one = await run(
    [
      "get",
      "pool",
      "p",
      "-o",
      "go-template={{range .}}{{.Name}} {{.Spec.CIDR}} {{.Spec.NATOutgoing}}{{end}}",
    ],
    { store },
  );
  assert.equal(one.stdout, "p 10.244.0.0/16 true");
  assert.equal(
    (await run(["get", "pool", "p", "-o", "go-template={{range .}}{{.Items}}{{end}}"], { store })).stderr,
    "error in go-template: can't evaluate field Items in a IPPool\n",
  );
  assert.match(
    (await run("get pool -o go-template-file=/nowhere", { store })).stderr,
    /^error reading template file: open \/nowhere: no such file or directory/,
  );
});

test("conditions, variables, pipelines and functions", () => {
  const data = { a: [1, 2], m: { y: 2, x: "one" }, s: "text", z: 0, t: true };
  for (const [template, text] of [
    ["{{if .a}}yes{{else}}no{{end}}", "yes"],
    ["{{if .z}}yes{{else if .t}}other{{else}}no{{end}}", "other"],
    ['{{if and .t (eq .s "text") (not .z)}}all{{end}}', "all"],
    ["{{with .m}}{{.x}}{{end}}", "one"],
    ["{{range .none}}x{{else}}none{{end}}", "none"],
    ["{{range $k, $v := .m}}{{$k}}={{$v}};{{end}}", "x=one;y=2;"],
    ["{{$x := .s}}{{range .a}}{{$x}}{{.}} {{end}}", "text1 text2 "],
    ["{{$x := 0}}{{range .a}}{{$x = .}}{{end}}{{$x}}", "2"],
    ["{{$x := 0}}{{range .a}}{{$x := .}}{{end}}{{$x}}", "0"],
    ["{{range .a}}{{if eq . 2}}{{break}}{{end}}{{.}},{{end}}", "1,"],
    ["{{range .a}}{{if eq . 1}}{{continue}}{{end}}{{.}},{{end}}", "2,"],
    ["{{range .a}}{{range $.a}}{{break}}{{end}}{{.}}{{end}}", "12"],
    ['{{define "row"}}<{{.}}>{{end}}{{range .a}}{{template "row" .}}{{end}}', "<1><2>"],
    ['{{template "late" .m}}{{define "late"}}{{$.x}}{{end}}', "one"],
    ['{{block "b" .s}}[{{.}}]{{end}}{{template "b" .z}}', "[text][0]"],
    ['{{template "empty"}}{{define "empty"}}{{.}}-{{end}}', "-"],
    ['{{.s | printf "%-6s|%q" "ab"}}', 'ab    |"text"'],
    ['{{join .a ","}} {{len .a}} {{index .a 1}} {{index .m "x"}}', "1,2 2 2 one"],
    ["a  {{- .s -}}  b", "atextb"],
    ["{{/* nothing */}}{{.a}} {{.m}} {{(index .a 0)}}", "[1 2] map[x:one y:2] 1"],
    ['{{"}}"}}{{`{{`}}\n', "}}{{\n"],
    ["{{print .s 1}}{{println .z}}{{if gt 2 1}}>{{end}}", "text10\n>"],
  ] as const) {
    assert.equal(render(template, data), text, template);
  }
});

test("what is wrong or not known is one line", () => {
  for (const [template, why] of [
    ["{{range .}}", /\{\{range\}\} has no \{\{end\}\}/],
    ["{{end}}", /unexpected \{\{end\}\}/],
    ["{{.a", /unclosed action/],
    ["{{}}", /an action is empty/],
    ["{{break}}", /\{\{break\}\} stands alone, and in a range/],
    ["{{range .a}}{{continue 1}}{{end}}", /\{\{continue 1\}\} stands alone/],
    ["{{define x}}{{end}}", /\{\{define\}\} needs a name in quotes/],
    ['{{define "x"}}', /\{\{define\}\} has no \{\{end\}\}/],
    ['{{if 1}}{{define "x"}}{{end}}{{end}}', /stands in no other block/],
    ['{{define "x"}}1{{end}}{{define "x"}}2{{end}}', /template "x" is defined twice/],
    ['{{block "x"}}{{end}}', /\{\{block\}\} needs a name and a value/],
    ['{{template "none"}}', /template "none" is not defined/],
    ['{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', /more than 1000 deep/],
    ["{{$x = 1}}", /undefined variable "\$x"/],
    ["{{if 1}}{{$x := 1}}{{end}}{{$x}}", /undefined variable "\$x"/],
    ["{{nope 1}}", /function "nope" is not known/],
    ["{{$x}}", /undefined variable "\$x"/],
    ["{{.a 1}}", /only a function takes arguments/],
    ["{{(.a}}", /unclosed bracket/],
    ["{{index .a 9}}", /index out of range: 9/],
    ["{{range .s}}{{end}}", /range can't iterate over text/],
    [`${"{{if 1}}".repeat(200)}`, /nested too deeply/],
    [`{{${"(".repeat(200)}}}`, /nested too deeply/],
  ] as const) {
    assert.throws(() => render(template, { a: [1], s: "text" }), { message: why }, template);
  }
});
