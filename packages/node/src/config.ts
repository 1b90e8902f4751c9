import { Ipv4, Prefix } from "@caracal/net";
import { podInterfacePrefix } from "@caracal/resources";
import type { BirdPrograms } from "./bird-backend/config-directory.ts";
import type { IpamAuditMode } from "./ipam-audit/ipam-audit.ts";
import { type FelixEnvironment, readFelixEnvironment } from "./felix-environment.ts";
import { isKubernetesDatastore } from "./startup/datastore-type.ts";

/** What a node daemon is told by its environment, under Calico's names (facts: node start-up, §2 to §5). */
export interface NodeConfig {
  /** Name of the Node resource, when told; otherwise it is found at start. */
  readonly nodeName: string | undefined;
  /** Where sockets live: `control.sock`, `bird.ctl`. */
  readonly runDir: string;
  /** Where `nodename` and `mtu` live. */
  readonly libDir: string;
  readonly nodeNameFile: string;
  readonly backend: Backend;
  /** For the backend `bird`: BIRD's programs, and where its configuration goes. */
  readonly bird: { readonly programs: BirdPrograms; readonly configDir: string };
  readonly ipv4: AddressConfig;
  readonly ipv6: AddressConfig;
  /** `AS`, as written; the Node resource's own forms are accepted. */
  readonly asNumber: string | undefined;
  /** `CALICO_ROUTER_ID`: a literal address, `hash`, or undefined for the node's IPv4 address. */
  readonly routerId: string | undefined;
  /** Where the passwords of BGP sessions are: files named `<namespace>/<secret>/<key>`. */
  readonly secrets: { readonly directory: string | undefined; readonly namespace: string };
  readonly clusterType: string;
  readonly kubernetesNodeName: string | undefined;
  /** Pods and nodes are Kubernetes' own there. */
  readonly isKubernetesDatastore: boolean;
  /** Whether the token of CNI plugins is kept valid; undefined: where the host's directory is mounted. */
  readonly managesCni: boolean | undefined;
  readonly checkNodeIp: boolean;
  readonly autodetectPollMs: number;
  /** One per family whose default pool may be made; empty when there shall be none. */
  readonly defaultPools: readonly DefaultPoolConfig[];
  readonly health: Endpoint | undefined;
  readonly metrics: Endpoint | undefined;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "fatal";
  /** What names of the host side of pods' interfaces begin with; `cali`, which CNI uses, is among them. */
  readonly interfacePrefixes: readonly string[];
  /** The one that CNI gives them. */
  readonly podInterfacePrefix: string;
  /** The continuous look for leaked addresses. */
  readonly ipamAudit: { readonly mode: IpamAuditMode; readonly graceSeconds: number };
  /** Settings of the node agent that the environment gives: they win over every FelixConfiguration. */
  readonly felix: FelixEnvironment;
}

/**
 * Who speaks BGP and routes: our speaker, a stock BIRD, or nobody. With `vxlan` nodes know each other's addresses all the same;
 * `none` leaves addresses alone, too.
 */
export type Backend = "caracal" | "bird" | "vxlan" | "none";

/** How the node's address of one family is found: `IP`/`IP6` and the autodetection method. */
export interface AddressConfig {
  /** `""` when unset, `autodetect`, `none`, or a literal address or CIDR. */
  readonly source: string;
  readonly method: string;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** One default pool, as `CALICO_IPV4POOL_*` or `CALICO_IPV6POOL_*` describe it. */
export interface DefaultPoolConfig {
  readonly family: 4 | 6;
  /** Undefined: a free range is chosen. */
  readonly cidr: string | undefined;
  readonly blockSize: number;
  readonly ipipMode: "Never" | "Always" | "CrossSubnet";
  readonly vxlanMode: "Never" | "Always" | "CrossSubnet";
  readonly natOutgoing: boolean;
  readonly nodeSelector: string;
  readonly disableBgpExport: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export type ConfigOutcome =
  | { readonly kind: "ok"; readonly config: NodeConfig }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

/** Reads the environment whole, so that every mistake in it is told at once. */
export function readConfig(environment: Environment): ConfigOutcome {
  const reader = new EnvironmentReader(environment);
  const libDir = reader.text("CARACAL_LIB_DIR") ?? "/var/lib/calico";
  const config: NodeConfig = {
    nodeName: reader.text("NODENAME"),
    runDir: reader.text("CARACAL_RUN_DIR") ?? "/var/run/calico",
    libDir,
    nodeNameFile: reader.text("CALICO_NODENAME_FILE") ?? `${libDir}/nodename`,
    backend: reader.oneOf("CALICO_NETWORKING_BACKEND", backends, "caracal"),
    bird: {
      programs: {
        bird: reader.text("CARACAL_BIRD") ?? "bird",
        bird6: reader.text("CARACAL_BIRD6") ?? "bird6",
      },
      configDir: reader.text("CARACAL_CONFD_DIR") ?? birdConfigDir(reader.text("CARACAL_RUN_DIR")),
    },
    ipv4: {
      source: reader.text("IP") ?? "",
      method: reader.text("IP_AUTODETECTION_METHOD") ?? "first-found",
    },
    ipv6: {
      source: reader.text("IP6") ?? "",
      method: reader.text("IP6_AUTODETECTION_METHOD") ?? "first-found",
    },
    asNumber: reader.text("AS"),
    routerId: readRouterId(reader),
    secrets: {
      directory: reader.text("CARACAL_SECRETS_DIR"),
      namespace: reader.text("NAMESPACE") ?? "kube-system",
    },
    clusterType: [reader.text("CLUSTER_TYPE"), isKubernetesDatastore(environment) ? "kdd" : undefined]
      .filter((type) => type !== undefined)
      .join(","),
    kubernetesNodeName: reader.text("CALICO_K8S_NODE_REF"),
    isKubernetesDatastore: isKubernetesDatastore(environment),
    managesCni:
      reader.text("CALICO_MANAGE_CNI") === undefined ? undefined : reader.flag("CALICO_MANAGE_CNI", true),
    checkNodeIp: !reader.flag("DISABLE_NODE_IP_CHECK", false),
    autodetectPollMs: reader.durationMs("AUTODETECT_POLL_INTERVAL", {
      leastMs: 100,
      mostMs: 86_400_000,
      presetMs: 60_000,
    }),
    defaultPools: readDefaultPools(reader),
    health: readEndpoint(reader, "HEALTH", 9099, false),
    metrics: readEndpoint(reader, "PROMETHEUSMETRICS", 9091, false),
    logLevel: reader.oneOf("CALICO_STARTUP_LOGLEVEL", logLevels, "info"),
    interfacePrefixes: readInterfacePrefixes(reader),
    podInterfacePrefix: readPodInterfacePrefix(reader),
    ipamAudit: readIpamAudit(reader),
    felix: readFelixEnvironment(environment),
  };
  checkDatastoreType(reader);
  return reader.problems.length === 0
    ? { kind: "ok", config }
    : { kind: "problems", problems: reader.problems };
}

const auditModes = { off: "off", report: "report", repair: "repair" } as const;
/** Calico's `leakGracePeriod`. */
const leakGraceMs = 900_000;
const backends = { caracal: "caracal", bird: "bird", vxlan: "vxlan", none: "none" } as const;
const logLevels = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
  fatal: "fatal",
  panic: "fatal",
} as const;
const modes = {
  never: "Never",
  off: "Never",
  always: "Always",
  crosssubnet: "CrossSubnet",
  "cross-subnet": "CrossSubnet",
} as const;

/** Calico's place; several daemons on one machine differ by their run directory. */
function birdConfigDir(runDir: string | undefined): string {
  return runDir === undefined ? "/etc/calico/confd/config" : `${runDir}/confd/config`;
}

function readDefaultPools(reader: EnvironmentReader): readonly DefaultPoolConfig[] {
  const isOff = reader.flag("NO_DEFAULT_POOLS", false);
  const pools: DefaultPoolConfig[] = [];
  for (const family of [4, 6] as const) {
    const name = `CALICO_IPV${family}POOL`;
    const cidr = reader.text(`${name}_CIDR`);
    if (isOff && cidr !== undefined && cidr !== "none") {
      reader.problem(`${name}_CIDR`, cidr, "cannot be set when NO_DEFAULT_POOLS is true");
    }
    const pool = readPool(reader, family, name, cidr);
    if (!isOff && cidr?.toLowerCase() !== "none") pools.push(pool);
  }
  return pools;
}

function readPool(
  reader: EnvironmentReader,
  family: 4 | 6,
  name: string,
  cidr: string | undefined,
): DefaultPoolConfig {
  const isNamed = cidr !== undefined && cidr.toLowerCase() !== "none";
  if (isNamed && Prefix.parse(cidr)?.family !== family) {
    reader.problem(
      `${name}_CIDR`,
      cidr,
      `is not an IPv${family} CIDR such as ${family === 4 ? "10.244.0.0/16" : "fd00:10:244::/48"}, and not 'none'`,
    );
  }
  const [smallest, largest, usual] = family === 4 ? [20, 32, 26] : [116, 128, 122];
  const ipipMode = family === 4 ? reader.oneOf(`${name}_IPIP`, modes, "Never") : "Never";
  const vxlanMode = reader.oneOf(`${name}_VXLAN`, modes, "Never");
  if (ipipMode !== "Never" && vxlanMode !== "Never") {
    reader.problem(`${name}_VXLAN`, vxlanMode, `cannot be enabled together with ${name}_IPIP`);
  }
  return {
    family,
    cidr: isNamed ? cidr : undefined,
    blockSize: reader.integer(`${name}_BLOCK_SIZE`, smallest, largest, usual),
    ipipMode,
    vxlanMode,
    natOutgoing: reader.flag(`${name}_NAT_OUTGOING`, family === 4),
    nodeSelector: reader.text(`${name}_NODE_SELECTOR`) ?? "all()",
    disableBgpExport: reader.flag(`${name}_DISABLE_BGP_EXPORT`, false),
  };
}

function readEndpoint(
  reader: EnvironmentReader,
  name: "HEALTH" | "PROMETHEUSMETRICS",
  port: number,
  isOnByDefault: boolean,
): Endpoint | undefined {
  if (!reader.flag(`FELIX_${name}ENABLED`, isOnByDefault)) return undefined;
  return {
    host: reader.text(`FELIX_${name}HOST`) ?? (name === "HEALTH" ? "localhost" : "0.0.0.0"),
    port: reader.integer(`FELIX_${name}PORT`, 1, 65535, port),
  };
}

function readIpamAudit(reader: EnvironmentReader): NodeConfig["ipamAudit"] {
  const graceMs = reader.durationMs("CARACAL_IPAM_AUDIT_GRACE", {
    leastMs: 1_000,
    mostMs: 86_400_000,
    presetMs: leakGraceMs,
  });
  return {
    mode: reader.oneOf("CARACAL_IPAM_AUDIT", auditModes, "report"),
    graceSeconds: Math.ceil(graceMs / 1_000),
  };
}

function readRouterId(reader: EnvironmentReader): string | undefined {
  const text = reader.text("CALICO_ROUTER_ID");
  if (text === undefined || text === "hash" || Ipv4.parse(text) !== undefined) return text;
  reader.problem("CALICO_ROUTER_ID", text, "is neither 'hash' nor an IPv4 address");
  return undefined;
}

/** What else it is must not be taken for etcd because endpoints are named too. */
function checkDatastoreType(reader: EnvironmentReader): void {
  for (const name of ["DATASTORE_TYPE", "CALICO_DATASTORE_TYPE"]) {
    const type = reader.text(name);
    if (type !== undefined && type !== "etcdv3" && type !== "kubernetes")
      reader.problem(name, type, "is not supported: set it to etcdv3 or kubernetes");
  }
}

/** Felix's own default is what CNI names interfaces by; a list in its place adds to that. */
function readInterfacePrefixes(reader: EnvironmentReader): readonly string[] {
  const listed = (reader.text("FELIX_INTERFACEPREFIX") ?? "").split(",").map((text) => text.trim());
  return [...new Set(["cali", ...listed])].filter((prefix) => prefix !== "");
}

/** Room for six digits that tell pods apart, in the 15 characters that Linux takes. */
const podPrefixCharactersMax = 9;

function readPodInterfacePrefix(reader: EnvironmentReader): string {
  const prefix = podInterfacePrefix(reader.text("FELIX_INTERFACEPREFIX"));
  if (prefix.length > podPrefixCharactersMax) {
    const most = `names of interfaces begin with it, so it has at most ${podPrefixCharactersMax} characters`;
    reader.problems.push(`FELIX_INTERFACEPREFIX '${prefix}': ${most}`);
  }
  return prefix;
}

/** Reads variables one by one and collects what is wrong with them. Empty means unset, as for Calico. */
class EnvironmentReader {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    // Names after FELIX_ are taken in any case.
    const folded = Object.entries(environment).map(([name, value]) =>
      name.toUpperCase().startsWith("FELIX_") ? [name.toUpperCase(), value] : [name, value],
    );
    this.#environment = Object.fromEntries(folded);
  }

  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim();
    return value === "" ? undefined : value;
  }

  flag(name: string, preset: boolean): boolean {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return preset;
    if (["true", "1", "yes", "y", "t", "enabled"].includes(value)) return true;
    if (["false", "0", "no", "n", "f", "disabled", "none"].includes(value)) return false;
    this.problem(name, value, "is neither true nor false");
    return preset;
  }

  integer(name: string, least: number, most: number, preset: number): number {
    const value = this.text(name);
    if (value === undefined) return preset;
    const number = /^[0-9]+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    this.problem(name, value, `is not a whole number from ${least} to ${most}`);
    return preset;
  }

  /** Seconds, or a Go duration of one unit such as `500ms`, `60s` or `2m`. */
  durationMs(
    name: string,
    { leastMs, mostMs, presetMs }: { leastMs: number; mostMs: number; presetMs: number },
  ): number {
    const value = this.text(name);
    if (value === undefined) return presetMs;
    const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)$/.exec(value);
    const unitMs = { ms: 1, s: 1000, "": 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? "none"];
    const foundMs = Number(match?.[1]) * (unitMs ?? Number.NaN);
    if (foundMs >= leastMs && foundMs <= mostMs) return foundMs;
    this.problem(name, value, `is not a duration from ${leastMs}ms to ${mostMs / 3_600_000}h, such as 60s`);
    return presetMs;
  }

  oneOf<T extends string>(name: string, allowed: Readonly<Record<string, T>>, preset: T): T {
    const value = this.text(name);
    if (value === undefined) return preset;
    const found = allowed[value.toLowerCase()];
    if (found !== undefined) return found;
    this.problem(name, value, `is not one of ${Object.keys(allowed).join(", ")}`);
    return preset;
  }

  problem(name: string, value: string, reason: string): void {
    this.problems.push(`environment ${name}='${value}' ${reason}`);
  }
}
