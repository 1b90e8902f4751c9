/** The node's environment: what each variable means, and that every mistake is told at once. Method: pure reading. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type NodeConfig, readConfig } from "./config.ts";

function read(environment: Record<string, string>): NodeConfig {
  const outcome = readConfig(environment);
  assert.equal(outcome.kind, "ok", JSON.stringify(outcome));
  assert.ok(outcome.kind === "ok");
  return outcome.config;
}

test("an empty environment gives Calico's defaults", () => {
  const config = read({});
  assert.equal(config.runDir, "/var/run/calico");
  assert.equal(config.nodeNameFile, "/var/lib/calico/nodename");
  assert.equal(config.backend, "caracal");
  assert.deepEqual(config.ipv4, { source: "", method: "first-found" });
  assert.equal(config.checkNodeIp, true);
  assert.equal(config.health, undefined);
  assert.deepEqual(
    config.defaultPools.map((pool) => [
      pool.family,
      pool.cidr,
      pool.blockSize,
      pool.natOutgoing,
      pool.ipipMode,
    ]),
    [
      [4, undefined, 26, true, "Never"],
      [6, undefined, 122, false, "Never"],
    ],
  );
});

test("pool variables are read in Calico's spellings", () => {
  const config = read({
    CALICO_IPV4POOL_CIDR: "10.244.0.0/16",
    CALICO_IPV4POOL_IPIP: "cross-subnet",
    CALICO_IPV4POOL_BLOCK_SIZE: "24",
    CALICO_IPV4POOL_NAT_OUTGOING: "false",
    CALICO_IPV6POOL_CIDR: "none",
  });
  assert.deepEqual(config.defaultPools, [
    {
      family: 4,
      cidr: "10.244.0.0/16",
      blockSize: 24,
      ipipMode: "CrossSubnet",
      vxlanMode: "Never",
      natOutgoing: false,
      nodeSelector: "all()",
      disableBgpExport: false,
    },
  ]);
});

test("FELIX_ names are taken in any case", () => {
  const config = read({ Felix_HealthEnabled: "true", FELIX_healthport: "9199" });
  assert.deepEqual(config.health, { host: "localhost", port: 9199 });
});

test("durations are seconds or carry a unit", () => {
  assert.equal(read({ AUTODETECT_POLL_INTERVAL: "5" }).autodetectPollMs, 5000);
  assert.equal(read({ AUTODETECT_POLL_INTERVAL: "500ms" }).autodetectPollMs, 500);
  assert.equal(read({ AUTODETECT_POLL_INTERVAL: "2m" }).autodetectPollMs, 120_000);
});

test("every mistake is told, each with its variable and value", () => {
  const outcome = readConfig({
    CALICO_IPV4POOL_CIDR: "10.244.0.5/16",
    CALICO_IPV4POOL_IPIP: "sometimes",
    CALICO_IPV4POOL_BLOCK_SIZE: "33",
    FELIX_HEALTHENABLED: "maybe",
    AUTODETECT_POLL_INTERVAL: "soon",
  });
  assert.ok(outcome.kind === "problems");
  assert.deepEqual(outcome.problems, [
    "environment AUTODETECT_POLL_INTERVAL='soon' is not a duration from 100ms to 24h, such as 60s",
    "environment CALICO_IPV4POOL_CIDR='10.244.0.5/16' is not an IPv4 CIDR such as 10.244.0.0/16, and not 'none'",
    "environment CALICO_IPV4POOL_IPIP='sometimes' is not one of never, off, always, crosssubnet, cross-subnet",
    "environment CALICO_IPV4POOL_BLOCK_SIZE='33' is not a whole number from 20 to 32",
    "environment FELIX_HEALTHENABLED='maybe' is neither true nor false",
  ]);
});

test("IPIP and VXLAN together, and a pool where none is wanted, are refused", () => {
  const both = readConfig({ CALICO_IPV4POOL_IPIP: "Always", CALICO_IPV4POOL_VXLAN: "Always" });
  assert.ok(both.kind === "problems");
  const unwanted = readConfig({ NO_DEFAULT_POOLS: "true", CALICO_IPV4POOL_CIDR: "10.0.0.0/8" });
  assert.ok(unwanted.kind === "problems");
});

test("an interval that would spin or overflow is refused", () => {
  for (const text of ["0", "1ms", "25h", "99999999999999"]) {
    const outcome = readConfig({ AUTODETECT_POLL_INTERVAL: text });
    assert.equal(outcome.kind, "problems", text);
  }
  assert.equal(read({ AUTODETECT_POLL_INTERVAL: "2m" }).autodetectPollMs, 120_000);
});

test("a router ID is an IPv4 address or 'hash'", () => {
  assert.equal(read({ CALICO_ROUTER_ID: "hash" }).routerId, "hash");
  assert.equal(read({ CALICO_ROUTER_ID: "10.0.0.1" }).routerId, "10.0.0.1");
  assert.deepEqual(readConfig({ CALICO_ROUTER_ID: "router1" }), {
    kind: "problems",
    problems: ["environment CALICO_ROUTER_ID='router1' is neither 'hash' nor an IPv4 address"],
  });
});

test("interface prefixes are a list, and what CNI makes is always among them", () => {
  assert.deepEqual(read({}).interfacePrefixes, ["cali"]);
  assert.deepEqual(read({ FELIX_INTERFACEPREFIX: "azv, tap," }).interfacePrefixes, ["cali", "azv", "tap"]);
  assert.deepEqual(read({ FELIX_INTERFACEPREFIX: "cali" }).interfacePrefixes, ["cali"]);
  assert.equal(read({}).podInterfacePrefix, "cali");
  assert.equal(read({ FELIX_INTERFACEPREFIX: "azv, tap," }).podInterfacePrefix, "azv");
  assert.equal(read({}).managesCni, undefined);
  assert.equal(read({ CALICO_MANAGE_CNI: "false" }).managesCni, false);
  assert.equal(readConfig({ FELIX_INTERFACEPREFIX: "interfaces" }).kind, "problems");
});

test("the backend says who speaks BGP; BIRD's files are apart where the run directory is", () => {
  for (const backend of ["caracal", "bird", "vxlan", "none"])
    assert.equal(read({ CALICO_NETWORKING_BACKEND: backend }).backend, backend);
  assert.deepEqual(read({}).bird, {
    programs: { bird: "bird", bird6: "bird6" },
    configDir: "/etc/calico/confd/config",
  });
  assert.equal(read({ CARACAL_RUN_DIR: "/run/n1" }).bird.configDir, "/run/n1/confd/config");
  assert.deepEqual(read({ CARACAL_BIRD: "/opt/bird", CARACAL_CONFD_DIR: "/etc/bird" }).bird, {
    programs: { bird: "/opt/bird", bird6: "bird6" },
    configDir: "/etc/bird",
  });
  assert.deepEqual(read({ CARACAL_SECRETS_DIR: "/secrets" }).secrets, {
    directory: "/secrets",
    namespace: "kube-system",
  });
});

test("the IPAM audit reports unless told, and its grace time is Calico's", () => {
  const audit = (environment: Record<string, string>): unknown => {
    const outcome = readConfig(environment);
    return outcome.kind === "ok" ? outcome.config.ipamAudit : outcome.problems;
  };
  assert.deepEqual(audit({}), { mode: "report", graceSeconds: 900 });
  assert.deepEqual(audit({ CARACAL_IPAM_AUDIT: "repair", CARACAL_IPAM_AUDIT_GRACE: "2m" }), {
    mode: "repair",
    graceSeconds: 120,
  });
  // Whole seconds, as long as asked for at least.
  assert.deepEqual(audit({ CARACAL_IPAM_AUDIT_GRACE: "1500ms" }), { mode: "report", graceSeconds: 2 });
  assert.deepEqual(audit({ CARACAL_IPAM_AUDIT: "delete" }), [
    "environment CARACAL_IPAM_AUDIT='delete' is not one of off, report, repair",
  ]);
});
