import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A directory for sockets, gone after the test. */
export async function runDirectory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal-run-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A control socket that answers as BIRD does: each command from `replies`, raw; anything else is a syntax error. */
export async function serveBird(
  t: TestContext,
  path: string,
  replies: Readonly<Record<string, string>>,
  greeting = "0001 BIRD v0.3.3+birdv1.6.8 ready.\n",
): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  const server = createServer((client) => {
    client.on("error", () => client.destroy());
    client.write(greeting);
    client.setEncoding("utf8").on("data", (text: string) => {
      for (const command of text.split("\n").filter((line) => line !== "")) {
        client.write(replies[command] ?? "9001 syntax error\n");
      }
    });
    t.after(() => client.destroy());
  });
  server.listen(path);
  await once(server, "listening");
  t.after(() => server.close());
}
