import { readFileSync } from "node:fs";
import { type Interest, type NetworkState, type PacketFilter, relevantState } from "@caracal/forwarding";
import type { Link } from "@caracal/netlink";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";
import { Rtnetlink } from "./rtnetlink.ts";
import { spawnInNamespace } from "./spawn-in-namespace.ts";

/** How long `nft` may take, and how much it may say. */
const filterTimeoutMs = 3_000;
const filterCharactersMax = 32 * 1024 * 1024;

const ownNamespace = "/proc/thread-self/ns/net";
const generalSettings = ["ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv6/conf/all/forwarding"];
/** Of every interface that matters. */
const interfaceSettings = [
  ["ipv4", "rp_filter"],
  ["ipv4", "forwarding"],
  ["ipv4", "proxy_arp"],
  ["ipv6", "proxy_ndp"],
] as const;

/** Reads what decides where packets go in a namespace (by default the thread's own), as far as it matters for `interest`. */
export async function observeNetwork(interest: Interest, namespace?: NamespaceTarget): Promise<NetworkState> {
  const filter = await readFilter(namespace ?? ownNamespace);
  using tables = Rtnetlink.open(namespace);
  const state = relevantState(
    {
      links: tables.links(),
      addresses: tables.addresses(),
      rules: [...tables.rules(4), ...tables.rules(6)],
      routes: tables.routes(),
      neighbours: tables.neighbours(),
      forwarding: tables.neighbours("forwarding"),
      settings: {},
      filter,
    },
    interest,
  );
  const read = (): NetworkState["settings"] => readSettings(state.links);
  return { ...state, settings: namespace === undefined ? read() : withNamespace(namespace, read) };
}

function readSettings(links: readonly Link[]): NetworkState["settings"] {
  const ofLinks = links.flatMap(({ name }) =>
    interfaceSettings.map(([family, setting]) => `${family}/conf/${name}/${setting}`),
  );
  const settings: Record<string, string> = {};
  for (const path of [...generalSettings, ...ofLinks]) {
    try {
      settings[path] = readFileSync(`/proc/sys/net/${path}`, "utf8").trimEnd();
    } catch {
      // An interface that has just gone, or a family that is switched off.
    }
  }
  return settings;
}

/** What `nft` lists; that it cannot be asked is no failure of the rest. */
function readFilter(namespace: NamespaceTarget): Promise<PacketFilter> {
  return new Promise((resolve) => {
    const unknown = (because: string): void => resolve({ kind: "unknown", because });
    const child = spawnInNamespace(namespace, "nft", ["--json", "list", "ruleset"], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: filterTimeoutMs,
      killSignal: "SIGKILL",
    });
    const said = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said.stdout += text;
      if (said.stdout.length > filterCharactersMax) child.kill("SIGKILL");
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
    child.once("error", () => unknown("the command nft is not there"));
    child.once("close", (code) => {
      const objects = code === 0 ? objectsOf(said.stdout) : undefined;
      if (objects === undefined) unknown(`nft cannot list it: ${said.stderr.split("\n")[0] ?? ""}`.trimEnd());
      else resolve({ kind: "known", objects });
    });
  });
}

function objectsOf(text: string): readonly unknown[] | undefined {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== "object" || json === null || !("nftables" in json)) return undefined;
    return Array.isArray(json.nftables) ? json.nftables : undefined;
  } catch {
    return undefined;
  }
}
