/**
 * Aim: the two forms of the plugin, C and Node, are one program: same request, same answer, same errors.
 * Method: each is built into a directory of its own and run as a container runtime runs it, against a socket of this test.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { buildPlugins, type BuiltPlugins, type PluginForm } from "../src/index.ts";
import { pluginVersion, supportedVersions } from "../src/plugin-call.ts";

interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  program: string,
  environment: Record<string, string>,
  stdin: string | Buffer,
  words: readonly string[] = [],
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { env: environment });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
    child.stdin.on("error", () => undefined); // A program that refuses its input may end before it has read it all.
    child.stdin.end(stdin);
  });
}

/** A daemon that gives each line to `reply` and sends back what that returns; `undefined` hangs up. */
async function serve(path: string, reply: (line: string) => string | undefined): Promise<Server> {
  const server = createServer((socket: Socket) => {
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      text += String(chunk);
      if (!text.endsWith("\n")) return;
      const answer = reply(text);
      if (answer === undefined) socket.destroy();
      else socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

const environment = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "c0ffee",
  CNI_NETNS: "/var/run/netns/a b",
  CNI_IFNAME: "eth0",
  CNI_ARGS: "K8S_POD_NAME=a;K8S_POD_NAMESPACE=b",
  CNI_PATH: "/opt/cni/bin",
};

for (const form of ["native", "node"] satisfies PluginForm[]) {
  describe(`the ${form} form`, () => {
    let directory = "";
    let built: BuiltPlugins;
    let skipped: string | undefined;

    before(() => {
      directory = mkdtempSync(join(tmpdir(), "caracal-plugin-"));
      built = buildPlugins({ output: join(directory, "dist"), ...(form === "node" && { form }) });
      if (built.form !== form) skipped = built.reason;
    });
    after(() => rmSync(directory, { recursive: true, force: true }));

    const claim = (name: string, body: () => Promise<void>): void => {
      it(name, async (context) => {
        if (skipped === undefined) await body();
        else context.skip(skipped);
      });
    };
    const calico = (env: Record<string, string>, stdin: string | Buffer): Promise<Ran> =>
      run(join(built.directory, "calico"), env, stdin);

    claim("VERSION needs no daemon and repeats the version of the configuration", async () => {
      const ran = await calico({ CNI_COMMAND: "VERSION" }, `{"cniVersion":"0.4.0"}`);
      assert.deepEqual(JSON.parse(ran.stdout), { cniVersion: "0.4.0", supportedVersions });
      assert.equal(ran.exitCode, 0);
    });

    claim(
      "Calico's options: version, test of the datastore, host-local's addresses; others are code 4",
      async () => {
        const lines: string[] = [];
        const server = await serve(join(directory, "control.sock"), (line) => {
          lines.push(line);
          return `${JSON.stringify({ id: 1, result: { exitCode: 0, stdout: "done\n" } })}\n`;
        });
        const env = { CARACAL_RUN_DIR: directory };
        const call = (name: string, ...words: readonly string[]): Promise<Ran> =>
          run(join(built.directory, name), env, words[0] === "-t" ? '{"name":"n"}' : "", words);
        try {
          assert.deepEqual(await call("calico", "-v"), {
            exitCode: 0,
            stdout: `${pluginVersion}\n`,
            stderr: "",
          });
          assert.equal((await call("calico", "-t")).stdout, "done\n");
          assert.equal((await call("calico-ipam", "-upgrade")).stdout, "done\n");
          assert.equal((await call("calico-ipam", "-upgrade", "/some/where")).exitCode, 0);
          for (const [name, word] of [
            ["calico", "-upgrade"],
            ["calico", "--help"],
          ] as const) {
            const refused = await call(name, word);
            assert.deepEqual([refused.exitCode, JSON.parse(refused.stdout).code], [1, 4]);
            assert.equal(JSON.parse(refused.stdout).details, `it is "${word}"`);
          }
        } finally {
          server.close();
        }
        const asked = lines.map((line) => JSON.parse(line).params);
        assert.deepEqual(
          asked.map(({ plugin, command, args, stdin }) => [plugin, command, args, stdin]),
          [
            ["calico", "TEST", "", '{"name":"n"}'],
            ["calico-ipam", "UPGRADE", "", "{}"],
            ["calico-ipam", "UPGRADE", "/some/where", "{}"],
          ],
        );
      },
    );

    claim("without CNI_COMMAND the answer is code 4", async () => {
      const ran = await calico({}, "");
      assert.equal(ran.exitCode, 1);
      assert.equal(JSON.parse(ran.stdout).code, 4);
    });

    claim(
      "a daemon that is down is code 11 for ADD and DEL, code 50 for STATUS, and names the socket",
      async () => {
        const stdin = JSON.stringify({ cniVersion: "1.1.0", caracal_run_dir: join(directory, "nobody") });
        for (const [command, code] of [
          ["ADD", 11],
          ["DEL", 11],
          ["STATUS", 50],
        ] as const) {
          const ran = await calico({ ...environment, CNI_COMMAND: command }, stdin);
          const { details: _, ...error } = JSON.parse(ran.stdout);
          const msg = `the node daemon cannot be reached at ${directory}/nobody/control.sock`;
          assert.deepEqual(error, { cniVersion: "1.1.0", code, msg });
          assert.equal(ran.exitCode, 1);
        }
      },
    );

    claim(
      "command, environment and stdin arrive as they are, and the answer is printed as it is",
      async () => {
        const lines: string[] = [];
        const stdout = '{"say":"\\"ä𝄞\\" \\\\ \\n"}\n';
        const server = await serve(join(directory, "control.sock"), (line) => {
          lines.push(line);
          return `${JSON.stringify({ id: 1, result: { exitCode: 3, stdout, stderr: "log\n" } })}\n`;
        });
        try {
          const stdin = `{ "a": [{"caracal_run_dir": "no"}, "]}"], "caracal_run_dir" : ${JSON.stringify(directory)}, "x": "\\u00e4ö\\t" }`;
          const ran = await run(join(built.directory, "calico-ipam"), environment, stdin);
          assert.deepEqual(ran, { exitCode: 3, stdout, stderr: "log\n" });
          assert.deepEqual(JSON.parse(lines[0] ?? ""), {
            id: 1,
            method: "cni",
            params: {
              plugin: "calico-ipam",
              command: "ADD",
              containerId: "c0ffee",
              netns: "/var/run/netns/a b",
              ifname: "eth0",
              args: environment.CNI_ARGS,
              path: "/opt/cni/bin",
              stdin,
            },
          });
          // The environment names the directory when the configuration does not.
          const again = await calico({ ...environment, CARACAL_RUN_DIR: directory }, "no JSON at all {");
          assert.equal(again.exitCode, 3);
          assert.equal(JSON.parse(lines[1] ?? "").params.stdin, "no JSON at all {");
        } finally {
          server.close();
        }
      },
    );

    claim("escapes of every kind in the answer come out as their characters", async () => {
      const answer = String.raw`{"id":1,"result":{"stdout":"\u0041\/\b\f\r\t\uD834\uDD1e\u00e9\u20AC","exitCode":0}}`;
      const server = await serve(join(directory, "control.sock"), () => `${answer}\n`);
      try {
        const ran = await calico({ ...environment, CARACAL_RUN_DIR: directory }, "{}");
        assert.deepEqual(ran, { exitCode: 0, stdout: "A/\b\f\r\t𝄞é€", stderr: "" });
      } finally {
        server.close();
      }
    });

    claim("a daemon that hangs up, refuses or talks nonsense is one clear error", async () => {
      const replies = new Map([
        [undefined, [11, "the node daemon closed the connection before it answered"]],
        [
          `{"id":1,"error":{"code":"busy","message":"too many calls"}}\n`,
          [11, "the node daemon refused the call"],
        ],
        [`{"id":1,"result":{"exitCode":0}}\n`, [5, "the node daemon's answer cannot be read"]],
        ["}}}}\n", [5, "the node daemon's answer cannot be read"]],
      ]);
      for (const [reply, expected] of replies) {
        const server = await serve(join(directory, "control.sock"), () => reply);
        try {
          const ran = await calico({ ...environment, CARACAL_RUN_DIR: directory }, "{}");
          const error = JSON.parse(ran.stdout);
          assert.deepEqual([error.code, error.msg], expected);
        } finally {
          await new Promise((resolve) => server.close(resolve));
        }
      }
    });

    claim("input of any shape ends in one JSON answer, and more than 1 MiB is refused", async () => {
      const inputs = [
        "",
        "{",
        "}",
        "[1,",
        '"',
        '"\\',
        '{"a"',
        '{"a":',
        '{"cniVersion":"\\u12',
        "}}]]",
        "null",
      ];
      // Nobody is there to be asked: only what cannot be an object is refused for good.
      const expected = [
        ...[...inputs, "[".repeat(10_000), Buffer.from([0, 0xff, 0xfe, 0x22, 0])].map(
          (stdin) => [stdin, 6] as const,
        ),
        ...['{"a":}', "{,}", " {}\r\n\t ", "{\n}"].map((stdin) => [stdin, 11] as const),
      ];
      for (const [stdin, code] of expected) {
        const ran = await calico({ ...environment, CARACAL_RUN_DIR: directory }, stdin);
        assert.equal(
          JSON.parse(ran.stdout).code,
          code,
          `input ${JSON.stringify(String(stdin)).slice(0, 40)}`,
        );
      }
      const ran = await calico({ ...environment, CARACAL_RUN_DIR: directory }, `"${"x".repeat(1 << 20)}"`);
      assert.deepEqual(JSON.parse(ran.stdout).code, 7);
    });

    claim("a run directory too long for a socket address is code 7", async () => {
      const stdin = JSON.stringify({ caracal_run_dir: `/${"d".repeat(120)}` });
      assert.equal(JSON.parse((await calico(environment, stdin)).stdout).code, 7);
    });
  });
}

it("the plugin's version is its package's", () => {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"));
  assert.deepEqual(Reflect.get(Object(manifest), "version"), pluginVersion.slice(1));
});

describe("buildPlugins", () => {
  it("a second build with nothing changed keeps the files", () => {
    const output = mkdtempSync(join(tmpdir(), "caracal-plugin-"));
    try {
      assert.deepEqual(buildPlugins({ output }), buildPlugins({ output }));
    } finally {
      rmSync(output, { recursive: true, force: true });
    }
  });
});
