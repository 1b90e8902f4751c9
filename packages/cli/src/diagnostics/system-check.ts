/** What the check reads of a machine. */
export interface SystemFacts {
  /** The running kernel, as `uname -r` tells it. */
  readonly release: string;
  /** A file's text, or `undefined` where there is none. */
  readonly read: (path: string) => Promise<string | undefined>;
  /** The kernel's configuration, where a person says which file it is. */
  readonly kernelConfig?: string | undefined;
}

/** What a check printed, and whether the machine will do. */
export interface SystemReport {
  readonly text: string;
  readonly isFit: boolean;
}

/** The first kernel with network namespaces and veth pairs. */
const minKernelVersion = [2, 6, 24] as const;

/** Modules and the options that build them into a kernel. */
const modules: Readonly<Record<string, string>> = {
  ip_set: "CONFIG_IP_SET",
  ip6_tables: "CONFIG_IP6_NF_IPTABLES",
  ip_tables: "CONFIG_IP_NF_IPTABLES",
  ipt_ipvs: "CONFIG_NETFILTER_XT_MATCH_IPVS",
  "vfio-pci": "CONFIG_VFIO",
  xt_bpf: "CONFIG_BPF",
  ipt_REJECT: "CONFIG_NFT_REJECT",
  xt_rpfilter: "CONFIG_IP_NF_MATCH_RPFILTER",
  nf_conntrack_netlink: "CONFIG_NF_CT_NETLINK",
  xt_addrtype: "CONFIG_NETFILTER_XT_MATCH_ADDRTYPE",
  xt_conntrack: "CONFIG_NETFILTER_XT_MATCH_CONNTRACK",
  xt_mark: "CONFIG_NETFILTER_XT_MARK",
  xt_multiport: "CONFIG_NETFILTER_XT_MATCH_MULTIPORT",
  xt_set: "CONFIG_NETFILTER_XT_SET",
  xt_u32: "CONFIG_NETFILTER_XT_MATCH_U32",
};

/** Without these, something that few use is missing. */
const optionalModules: ReadonlySet<string> = new Set(["ip6_tables", "xt_bpf", "xt_u32"]);

/** Whether a machine's kernel has what Calico asks for, in calicoctl's words. */
export async function checkSystem(facts: SystemFacts): Promise<SystemReport> {
  const lines = ["Checking kernel version..."];
  const isNewEnough = isVersionFit(facts.release);
  lines.push(result(facts.release, isNewEnough ? "OK" : "FAIL"));
  if (!isNewEnough) {
    lines.push(
      `Minimum kernel version to run Calico is ${minKernelVersion.join(".")}. Detected kernel version: ${facts.release}`,
    );
  }
  lines.push("Checking kernel modules...");
  const has = await moduleFinder(facts);
  let isComplete = true;
  for (const [name, option] of Object.entries(modules)) {
    if (has(name, option)) {
      lines.push(result(name, "OK"));
    } else if (optionalModules.has(name)) {
      lines.push(
        `WARNING: Unable to detect optional module/feature ${name}; continuing`,
        result(name, "SKIP"),
      );
    } else {
      isComplete = false;
      lines.push(
        `WARNING: Unable to detect the ${name} module as Loaded/Builtin module or lsmod`,
        result(name, "FAIL"),
      );
    }
  }
  const isFit = isNewEnough && isComplete;
  if (isFit) lines.push("System meets minimum system requirements to run Calico!");
  return { text: `${lines.join("\n")}\n`, isFit };
}

function result(name: string, verdict: "OK" | "FAIL" | "SKIP"): string {
  return `\t\t${name.padEnd(20)}\t\t\t\t\t${verdict}`;
}

function isVersionFit(release: string): boolean {
  const parts = (/^\d+(\.\d+)*/.exec(release)?.[0] ?? "").split(".").map(Number);
  for (const [index, least] of minKernelVersion.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

/** A module may be loadable, built in, loaded, or an option of the kernel's configuration. */
async function moduleFinder(facts: SystemFacts): Promise<(name: string, option: string) => boolean> {
  const { release, read, kernelConfig } = facts;
  const [loadable = "", builtin = "", loaded = ""] = await Promise.all(
    [`/lib/modules/${release}/modules.dep`, `/lib/modules/${release}/modules.builtin`, "/proc/modules"].map(
      read,
    ),
  );
  const config = await readKernelConfig(facts, kernelConfig);
  const files = new Set(
    `${loadable}\n${builtin}`
      .split("\n")
      .map((line) => /([^/]+?)\.ko/.exec(line.split(":")[0] ?? "")?.[1] ?? ""),
  );
  const running = new Set(loaded.split("\n").map((line) => line.split(" ")[0] ?? ""));
  const options = new Set(config.split("\n").flatMap((line) => /^(CONFIG_\w+)=[ym]/.exec(line)?.[1] ?? []));
  // The kernel itself takes a dash and an underscore for the same.
  return (name, option) =>
    files.has(name) ||
    files.has(name.replaceAll("-", "_")) ||
    running.has(name.replaceAll("-", "_")) ||
    options.has(option);
}

async function readKernelConfig({ release, read }: SystemFacts, path: string | undefined): Promise<string> {
  const paths =
    path === undefined
      ? [
          "/usr/src/linux/.config",
          `/boot/config-${release}`,
          `/usr/src/linux-${release}/.config`,
          `/usr/src/linux-headers-${release}/.config`,
          `/lib/modules/${release}/build/.config`,
        ]
      : [path];
  for (const each of paths) {
    const text = await read(each);
    if (text !== undefined) return text;
  }
  return "";
}
