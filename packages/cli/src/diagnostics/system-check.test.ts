/** Aim: a kernel is judged by its version and by every place that a module may be in. Method: files of a machine in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSystem } from "./system-check.ts";

const release = "6.1.0-13-amd64";
const modules = [
  "ip_set",
  "ip6_tables",
  "ip_tables",
  "ipt_ipvs",
  "vfio-pci",
  "xt_bpf",
  "ipt_REJECT",
  "xt_rpfilter",
  "nf_conntrack_netlink",
  "xt_addrtype",
  "xt_conntrack",
  "xt_mark",
  "xt_multiport",
  "xt_set",
  "xt_u32",
];

async function check(
  files: Readonly<Record<string, string>>,
  more: { release?: string; kernelConfig?: string } = {},
) {
  return checkSystem({ release, read: async (path) => files[path], ...more });
}

function dependencies(names: readonly string[]): string {
  return names.map((name) => `kernel/net/${name}.ko.xz: kernel/lib/x.ko\n`).join("");
}

test("a machine with all modules is fit", async () => {
  const { text, isFit } = await check({ [`/lib/modules/${release}/modules.dep`]: dependencies(modules) });
  assert.ok(isFit);
  const line = (name: string): string => `\t\t${name.padEnd(20)}\t\t\t\t\tOK`;
  assert.deepEqual(text.split("\n"), [
    "Checking kernel version...",
    line(release),
    "Checking kernel modules...",
    ...modules.map(line),
    "System meets minimum system requirements to run Calico!",
    "",
  ]);
});

test("a module may be loadable, built in, loaded or configured", async () => {
  const files = {
    [`/lib/modules/${release}/modules.dep`]: dependencies(modules.slice(4)),
    [`/lib/modules/${release}/modules.builtin`]: "kernel/net/ip_set.ko\n",
    "/proc/modules": "ip6_tables 32768 0 - Live 0x0\n",
    [`/boot/config-${release}`]: "# CONFIG_X is not set\nCONFIG_IP_NF_IPTABLES=m\n",
    "/my/config": "CONFIG_IP_NF_IPTABLES=y\nCONFIG_NETFILTER_XT_MATCH_IPVS=y\n",
  };
  assert.match((await check(files)).text, /WARNING: Unable to detect the ipt_ipvs module as Loaded\/Builtin/);
  assert.ok((await check(files, { kernelConfig: "/my/config" })).isFit);
});

test("what few use may be missing, the rest may not", async () => {
  const at = `/lib/modules/${release}/modules.dep`;
  const without = (name: string) => check({ [at]: dependencies(modules.filter((one) => one !== name)) });
  const optional = await without("xt_u32");
  assert.match(optional.text, /optional module\/feature xt_u32; continuing\n\t\txt_u32 +\t\t\t\t\tSKIP\n/);
  assert.ok(optional.isFit);
  const needed = await without("xt_set");
  assert.match(needed.text, /\t\txt_set +\t\t\t\t\tFAIL\n/);
  assert.ok(!needed.isFit);
});

test("an old kernel is not fit", async () => {
  const files = { "/lib/modules/2.6.23/modules.dep": dependencies(modules) };
  for (const [version, isFit] of [
    ["2.6.23", false],
    ["2.4", false],
    ["3", true],
    ["2.6.24", true],
  ] as const) {
    const all = { ...files, [`/lib/modules/${version}/modules.dep`]: dependencies(modules) };
    assert.equal((await check(all, { release: version })).isFit, isFit, version);
  }
});
