// Aim: namespaces are made, entered and left without a trace. Method: compare namespace inodes and open descriptors
// before, inside and after; `ip netns` and a child process as witnesses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import {
  createNamespace,
  deleteNamespace,
  listNamespaces,
  Namespace,
  namespacePath,
  readSysctl,
  Rtnetlink,
  spawnInNamespace,
  withNamespace,
  writeSysctl,
} from "../src/index.ts";
import { freshNamespace, kernelSkip, run } from "./fresh-namespace.ts";

const skip = kernelSkip(["ip"]);

function ownInode(): number {
  using current = Namespace.current();
  return current.inode;
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test(
  "a created namespace is seen by `ip netns`, empty but for lo, and the process stays where it was",
  { skip },
  (t) => {
    const before = ownInode();
    const name = freshNamespace(t);
    assert.equal(ownInode(), before);
    assert.match(execFileSync("ip", ["netns", "list"], { encoding: "utf8" }), new RegExp(`^${name}\\b`, "m"));
    assert.ok(listNamespaces().includes(name));
    using ip = Rtnetlink.open(namespacePath(name));
    assert.deepEqual(
      ip.links().map((link) => link.name),
      ["lo"],
    );
  },
);

test("a second namespace of the same name is refused and the first one stays", { skip }, (t) => {
  const name = freshNamespace(t);
  assert.throws(() => createNamespace(name), { name: "KernelError", errno: "EEXIST" });
  run(name, "true");
});

test("deleting works once, and answers false afterwards", { skip }, (t) => {
  const name = freshNamespace(t);
  assert.equal(deleteNamespace(name), true);
  assert.equal(deleteNamespace(name), false);
  assert.throws(() => Namespace.open(namespacePath(name)), { errno: "ENOENT" });
});

test("a name with a slash or dots is refused", () => {
  for (const name of ["", "..", "a/b", "a\0b"]) assert.throws(() => namespacePath(name), { errno: "EINVAL" });
});

test(
  "work runs inside and the thread always comes back, also from a throw and from nesting",
  { skip },
  (t) => {
    const outer = freshNamespace(t);
    const inner = freshNamespace(t);
    const home = ownInode();
    using opened = Namespace.open(namespacePath(outer));
    const seen = withNamespace(opened, () => [
      ownInode(),
      withNamespace(namespacePath(inner), ownInode),
      ownInode(),
    ]);
    assert.equal(seen[0], opened.inode);
    assert.notEqual(seen[1], opened.inode);
    assert.equal(seen[2], opened.inode);
    assert.throws(
      () =>
        withNamespace(opened, () => {
          throw new RangeError("inside");
        }),
      RangeError,
    );
    assert.throws(() => withNamespace(opened, () => Promise.resolve(1)), TypeError);
    assert.equal(ownInode(), home);
  },
);

test("a child process starts inside", { skip }, async (t) => {
  const name = freshNamespace(t);
  const home = ownInode();
  const child = spawnInNamespace(namespacePath(name), "stat", ["-Lc", "%i", "/proc/self/ns/net"]);
  assert.equal(ownInode(), home);
  assert.ok(child.stdout !== null);
  let printed = "";
  child.stdout.on("data", (data: Buffer) => (printed += data.toString()));
  await once(child, "close");
  using opened = Namespace.open(namespacePath(name));
  assert.equal(Number(printed), opened.inode);
});

test("settings are read and written in the namespace named, and only there", { skip }, (t) => {
  const one = namespacePath(freshNamespace(t));
  const other = namespacePath(freshNamespace(t));
  writeSysctl("net/ipv4/conf/lo/proxy_arp", 1, one);
  assert.equal(readSysctl("net/ipv4/conf/lo/proxy_arp", one), "1");
  assert.equal(readSysctl("net/ipv4/conf/lo/proxy_arp", other), "0");
  assert.throws(() => readSysctl("net/ipv4/conf/nosuch/proxy_arp", one), {
    op: "sysctl.read",
    errno: "ENOENT",
  });
  assert.throws(() => writeSysctl("net/ipv4/ip_forward", "x", one), { op: "sysctl.write", errno: "EINVAL" });
  assert.throws(() => readSysctl("../version"), { errno: "EINVAL" });
});

test("nothing leaves a descriptor open", { skip }, (t) => {
  const warmUp = freshNamespace(t);
  using _ = Rtnetlink.open(namespacePath(warmUp));
  const before = openDescriptors();
  for (let round = 0; round < 20; round += 1) {
    const name = freshNamespace(t);
    using ip = Rtnetlink.open(namespacePath(name));
    using far = Namespace.open(namespacePath(warmUp));
    ip.addVeth({ name: "a" }, { name: `b${round}`, namespace: far });
    ip.setLink("a", { namespace: namespacePath(warmUp), name: `a${round}` });
    withNamespace(namespacePath(name), ownInode);
    assert.throws(() => createNamespace(name));
    assert.throws(() => withNamespace("/proc/version", ownInode), { errno: "EINVAL" });
    deleteNamespace(name);
  }
  assert.equal(openDescriptors(), before);
});

test("a network namespace is told from what else can be opened", { skip }, (t) => {
  const isNetwork = (path: string): boolean => {
    using opened = Namespace.open(path);
    return opened.isNetwork;
  };
  assert.equal(isNetwork(namespacePath(freshNamespace(t))), true);
  const others = ["/proc/self/ns/uts", "/proc/self/status", "/dev/null", "/proc"];
  assert.deepEqual(others.map(isNetwork), [false, false, false, false]);
});
