/**
 * The machine that the tier `uml` runs on has what labs with IPIP need, and what is done there stays there. Method: the
 * machine's own tools; a module that is loaded, namespaces that ping through it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";

const skip =
  process.env["CARACAL_IN_UML"] !== "1" && "runs on a user-mode Linux only: npm test -- --tier uml";

function sh(command: string): string {
  return execFileSync("sh", ["-ec", command], { encoding: "utf8" });
}

test("files of the host can be changed, and the change is the machine's own", { skip }, () => {
  const directory = "/usr/local/caracal-uml-test";
  assert.equal(existsSync(directory), false);
  mkdirSync(directory);
  writeFileSync(`${directory}/file`, "x");
  rmSync(directory, { recursive: true });
  assert.match(sh("findmnt -no FSTYPE /"), /^overlay/);
});

test("the modules of tunnels, bridges and nftables load", { skip }, () => {
  for (const name of ["ipip", "vxlan", "veth", "bridge", "nf_tables", "nft_masq", "ifb", "sch_tbf"])
    sh(`modprobe ${name}`);
});

test("two namespaces reach each other through tunl0", { skip }, (t) => {
  t.after(() => sh("ip netns del uml-a; ip netns del uml-b"));
  sh(`
    ip netns add uml-a; ip netns add uml-b
    ip -n uml-a link add eth0 type veth peer eth0 netns uml-b
    for side in a:1:2 b:2:1; do
      name=\${side%%:*} rest=\${side#*:}; own=\${rest%:*} other=\${rest#*:}
      ip -n uml-$name addr add 10.0.0.$own/24 dev eth0; ip -n uml-$name link set eth0 up
      ip -n uml-$name addr add 10.244.$own.1/32 dev tunl0; ip -n uml-$name link set tunl0 up
      ip -n uml-$name route add 10.244.$other.0/24 via 10.0.0.$other dev tunl0 onlink
    done`);
  assert.match(sh("ip netns exec uml-a ping -c 1 -W 5 10.244.2.1"), / 0% packet loss/);
});
