/**
 * Aim: `birdcl` behaves as BIRD's own client: banner, prompt, cut-short words, exit code. Method: a control socket with
 * known replies; the transcript of a session is what Debian's client printed for the same words.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { runDirectory, serveBird } from "../../test/bird-server.ts";
import { run } from "../../test/test-context.ts";

const banner = "BIRD v0.3.3+birdv1.6.8 ready.\n";
const route = "10.244.120.64/26   blackhole [static1 07:27:40] * (200)";

async function environment(t: TestContext): Promise<Readonly<Record<string, string>>> {
  const directory = await runDirectory(t);
  await serveBird(t, join(directory, "bird.ctl"), {
    "show route": `1007-${route}\n ${route}\n0000 \n`,
    "show route for 10.9.0.0/16": "8001 Network not in table\n",
    "show protocols all": "2002-name\n1002-static1\n1006-  Preference:     200\n \n0000 \n",
    "show status": "1000-BIRD v0.3.3+birdv1.6.8\n0013 Daemon is up and running\n",
  });
  return { CARACAL_RUN_DIR: directory };
}

test("one command: banner, reply, exit code", async (t) => {
  const env = await environment(t);
  const guise = "birdcl";
  assert.deepEqual(await run("show route", { env, guise }), {
    exitCode: 0,
    stdout: `${banner}${route}\n${route}\n`,
    stderr: "",
  });
  assert.equal(
    (await run("s p all", { env, guise })).stdout,
    `${banner}name\nstatic1\n  Preference:     200\n\n`,
  );
  assert.equal(
    (await run("-v show status", { env, guise })).stdout,
    `${banner}1000 BIRD v0.3.3+birdv1.6.8\n0013 Daemon is up and running\n`,
  );
  assert.deepEqual(await run("show route for 10.9.0.0/16", { env, guise }), {
    exitCode: 1,
    stdout: `${banner}Network not in table\n`,
    stderr: "",
  });
});

test("it is also a command of caracal", async (t) => {
  const { stdout } = await run("birdcl show route", { env: await environment(t), guise: "caracal" });
  assert.equal(stdout, `${banner}${route}\n${route}\n`);
});

test("a session: commands line by line, each shown after its prompt", async (t) => {
  const stdin = "s r\nfoo\nshow\nshow foo\n\nquit\nshow status\n";
  const { stdout, exitCode } = await run([], { env: await environment(t), guise: "birdcl", stdin });
  assert.equal(exitCode, 0);
  assert.equal(
    stdout,
    [
      banner.trimEnd(),
      "bird> s r",
      route,
      route,
      "bird> foo",
      "No such command. Press `?' for help.",
      "bird> show",
      "Incomplete command. Press `?' for help.",
      "bird> show foo",
      "No such command. Press `?' for help.",
      "bird> ",
      "bird> quit",
      "",
    ].join("\n"),
  );
});

test("a session ends with its input", async (t) => {
  const { stdout } = await run([], { env: await environment(t), guise: "birdcl", stdin: "?\nshow status" });
  assert.match(stdout, /^show route \.\.\. {33}Show routing table$/m);
  assert.match(stdout, /bird> show status\nBIRD v0\.3\.3\+birdv1\.6\.8\nDaemon is up and running\nbird> \n$/);
});

test("a daemon that is not there, or is none, is one line", async (t) => {
  const directory = await runDirectory(t);
  const socket = join(directory, "bird.ctl");
  assert.deepEqual(await run("show route", { env: { CARACAL_RUN_DIR: directory }, guise: "birdcl" }), {
    exitCode: 1,
    stdout: "",
    stderr: `Unable to connect to server control socket (${socket}): No such file or directory\n`,
  });
  await serveBird(t, socket, {}, "hello\n");
  const { stderr } = await run(["-s", socket, "show", "route"], { guise: "birdcl" });
  assert.match(stderr, /^Unable to connect .*: unexpected reply from the daemon: hello\n$/);
});
