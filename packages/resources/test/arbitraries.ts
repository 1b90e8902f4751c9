import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import fc from "fast-check";
import { apiVersion, type Selector, workloadEndpointName } from "../src/index.ts";

/** Random values for property tests: valid resources of every kind, and selectors. */
const word = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/);

/** A list that holds nothing twice. */
function distinct<T>(item: fc.Arbitrary<T>, limits: { readonly maxLength?: number } = {}): fc.Arbitrary<T[]> {
  return fc.uniqueArray(item, { ...limits, selector: (one) => JSON.stringify(one) });
}

const subdomain = fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("."));
const labelName = fc.stringMatching(/^([a-z]{1,5}\/)?[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,10}[a-zA-Z0-9])?$/);
const labels = fc.dictionary(
  labelName,
  fc.stringMatching(/^([a-zA-Z0-9]([a-zA-Z0-9_.-]{0,10}[a-zA-Z0-9])?)?$/),
  { maxKeys: 4 },
);
const anyText = fc.string({ unit: "grapheme", maxLength: 30 });

const ipv4 = fc.nat({ max: 0xffffffff }).map((value) => Ipv4.format(Ipv4.of(value)));
const ipv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => Ipv6.format(Ipv6.of(value)));
const ip = fc.oneof(ipv4, ipv6);

function network(family: 4 | 6, minLength: number, maxLength: number): fc.Arbitrary<string> {
  const address = family === 4 ? ipv4 : ipv6;
  return fc
    .tuple(address, fc.integer({ min: minLength, max: maxLength }))
    .map(([text, length]) => Prefix.format(Prefix.of(IpAddress.parse(text) ?? Ipv4.of(0), length)));
}

const cidr = fc.oneof(network(4, 0, 32), network(6, 0, 128));
const cidrs = distinct(
  cidr.map((text) => ({ cidr: text })),
  { maxLength: 3 },
);
const asNumber = fc.integer({ min: 1, max: 4294967295 });
const mac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":"));
const duration = fc.constantFrom("0", "30s", "1m30s", "500ms", "2h45m");
const community = fc.tuple(fc.nat({ max: 65535 }), fc.nat({ max: 65535 })).map((halves) => halves.join(":"));
const mode = fc.constantFrom("Never", "Always", "CrossSubnet");

/** A record whose fields are each there or not. */
function optional<T extends Record<string, unknown>>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record(model, { requiredKeys: [] });
}

const metadata = fc
  .tuple(
    subdomain,
    optional({
      uid: fc.uuid(),
      resourceVersion: fc.nat().map(String),
      creationTimestamp: fc.constant("2023-05-10T08:41:00Z"),
      labels,
      annotations: fc.dictionary(labelName, anyText, { maxKeys: 3 }),
    }),
  )
  .map(([name, more]) => ({ name, ...more }));

function resource(
  kind: string,
  spec: fc.Arbitrary<object>,
  name?: fc.Arbitrary<string>,
): fc.Arbitrary<object> {
  return fc.tuple(metadata, spec, name ?? fc.constant(undefined)).map(([meta, content, fixed]) => ({
    kind,
    apiVersion,
    metadata: fixed === undefined ? meta : { ...meta, name: fixed },
    spec: content,
  }));
}

const linkLocal = [Prefix.parse("169.254.0.0/16"), Prefix.parse("fe80::/10")];

const poolSpec = fc
  .tuple(
    fc.oneof(network(4, 8, 20), network(6, 8, 116)).filter((text) => {
      const pool = Prefix.parse(text);
      return linkLocal.every(
        (range) => range === undefined || pool === undefined || !Prefix.overlaps(range, pool),
      );
    }),
    mode,
    fc.boolean(),
    optional({ natOutgoing: fc.boolean(), disabled: fc.boolean(), disableBGPExport: fc.boolean() }),
  )
  .map(([range, encapsulation, usesVxlan, more]) => {
    const isVxlan = usesVxlan || range.includes(":");
    return { cidr: range, [isVxlan ? "vxlanMode" : "ipipMode"]: encapsulation, ...more };
  });

const nodeSpec = optional({
  bgp: fc
    .tuple(network(4, 8, 32), optional({ asNumber, ipv4IPIPTunnelAddr: ipv4, routeReflectorClusterID: ipv4 }))
    .map(([address, more]) => ({ ipv4Address: address, ...more })),
  ipv4VXLANTunnelAddr: ipv4,
  vxlanTunnelMACAddr: mac,
  orchRefs: fc.array(fc.record({ nodeName: subdomain, orchestrator: fc.constant("k8s") }), { maxLength: 2 }),
  addresses: fc.array(fc.record({ address: ip, type: fc.constantFrom("InternalIP", "CalicoNodeIP") }), {
    maxLength: 2,
  }),
  interfaces: fc.array(fc.record({ name: word, addresses: fc.array(ip, { maxLength: 2 }) }), {
    maxLength: 2,
  }),
});

const configurationSpec = optional({
  logSeverityScreen: fc.constantFrom("Info", "debug", "FATAL"),
  nodeToNodeMeshEnabled: fc.boolean(),
  asNumber,
  serviceClusterIPs: cidrs,
  serviceExternalIPs: cidrs,
  listenPort: fc.integer({ min: 1, max: 65535 }),
  bindMode: fc.constantFrom("None", "NodeIP"),
  prefixAdvertisements: distinct(fc.record({ cidr, communities: fc.array(community, { maxLength: 2 }) }), {
    maxLength: 2,
  }),
  ignoredInterfaces: distinct(fc.constantFrom("eth*", "docker0"), { maxLength: 2 }),
});

const peerSpec = fc
  .tuple(
    fc.oneof(
      fc.record({
        peerIP: fc.oneof(
          ip,
          ipv4.map((text) => `${text}:1790`),
          ipv6.map((text) => `[${text}]:1790`),
        ),
        asNumber,
      }),
      fc.record({ peerSelector: fc.constantFrom("all()", "has(rr)", "rr == 'true'") }),
    ),
    optional({
      nodeSelector: fc.constant("rack == 'rack-1' || rack == 'rack-2'"),
      localASNumber: asNumber,
      keepaliveTime: duration,
      maxRestartTime: duration,
      ttlSecurity: fc.nat({ max: 255 }),
      sourceAddress: fc.constantFrom("UseNodeIP", "None"),
      nextHopMode: fc.constantFrom("Auto", "Self", "Keep"),
      filters: fc.array(word, { maxLength: 2 }),
    }),
  )
  .map(([who, more]) => ({ ...who, ...more }));

const filterRule = fc
  .tuple(
    fc.option(fc.record({ cidr: network(4, 0, 32), matchOperator: fc.constantFrom("Equal", "NotIn") }), {
      nil: {},
    }),
    optional({
      source: fc.constant("RemotePeers"),
      interface: fc.constant("eth*"),
      peerType: fc.constant("eBGP"),
    }),
    fc.constantFrom("Accept", "Reject"),
  )
  .map(([match, more, action]) => ({ ...match, ...more, action }));

const endpoint = fc
  .record({
    node: word,
    pod: word,
    endpoint: fc.constant("eth0"),
    address: ipv4,
    mac,
    meta: metadata,
    namespace: word,
  })
  .map(({ meta, namespace, address, ...spec }) => {
    const content = {
      ...spec,
      orchestrator: "k8s",
      interfaceName: "cali0123456789a",
      ipNetworks: [`${address}/32`],
      profiles: [`kns.${namespace}`],
    };
    const name = workloadEndpointName(content) ?? "";
    return { kind: "WorkloadEndpoint", apiVersion, metadata: { ...meta, name, namespace }, spec: content };
  });

const port = fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.constantFrom("http", "1000:2000"));
const chosen = fc.constantFrom("all()", "has(a)", "a == 'b' && c not in {'d', 'e'}");

const entity = optional({
  nets: distinct(network(4, 1, 32), { maxLength: 2 }),
  selector: chosen,
  namespaceSelector: fc.oneof(chosen, fc.constant("global()")),
  ports: fc.array(port, { maxLength: 3 }),
  notPorts: fc.array(port, { maxLength: 1 }),
  serviceAccounts: optional({ names: distinct(word, { maxLength: 2 }), selector: chosen }),
});

const rule = fc
  .tuple(
    fc.constantFrom("Allow", "Deny", "Log", "Pass"),
    fc.oneof(
      fc.tuple(fc.constantFrom("TCP", "UDP", 132), optional({ source: entity, destination: entity })),
      fc.tuple(fc.constant("ICMP"), fc.record({ icmp: fc.record({ type: fc.nat({ max: 254 }) }) })),
    ),
  )
  .map(([action, [protocol, more]]) => ({ action, protocol, source: {}, destination: {}, ...more }));

const rules = fc.array(rule, { maxLength: 3 });
const policySpec = optional({
  order: fc.double({ min: 0, max: 1e6, noNaN: true }).map((order) => order || 0),
  selector: chosen,
  ingress: rules,
  egress: rules,
  types: fc.constantFrom(["Ingress"], ["Ingress", "Egress"]),
  serviceAccountSelector: chosen,
});
const stagedSpec = fc
  .tuple(policySpec, fc.constantFrom("Set", "Learn", "Ignore"))
  .map(([spec, stagedAction]) => ({ ...spec, stagedAction }));
const policyName = fc.tuple(word, fc.boolean()).map(([name, hasTier]) => (hasTier ? `t.${name}` : name));

function namespaced(documents: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return fc.tuple(documents, word).map(([document, namespace]) => {
    const meta = "metadata" in document && document.metadata;
    return { ...document, metadata: Object.assign({}, meta, { namespace }) };
  });
}

const hostEndpointSpec = fc
  .tuple(
    word,
    optional({ expectedIPs: distinct(ip, { maxLength: 2 }), profiles: distinct(word, { maxLength: 2 }) }),
  )
  .map(([node, more]) => ({ node, interfaceName: "*", ...more }));

const felixSpec = optional({
  bpfEnabled: fc.boolean(),
  logSeverityScreen: fc.constantFrom("Info", "debug"),
  routeRefreshInterval: duration,
  natPortRange: fc.constantFrom(80, "1000:2000"),
  failsafeInboundHostPorts: fc.array(
    fc.record({ protocol: fc.constantFrom("tcp", "UDP"), port: fc.nat({ max: 65535 }) }),
  ),
  bpfLogFilters: fc.dictionary(word, anyText, { maxKeys: 2 }),
  iptablesMarkMask: fc.nat(),
});

const policyDocuments: readonly fc.Arbitrary<object>[] = [
  resource("GlobalNetworkPolicy", policySpec, policyName),
  namespaced(resource("NetworkPolicy", policySpec, policyName)),
  resource("StagedGlobalNetworkPolicy", stagedSpec, policyName),
  namespaced(resource("StagedNetworkPolicy", stagedSpec, policyName)),
  namespaced(
    resource(
      "StagedKubernetesNetworkPolicy",
      fc.record({ podSelector: optional({ matchLabels: labels }), policyTypes: fc.constant(["Egress"]) }),
    ),
  ),
  resource("Tier", optional({ order: fc.nat(), defaultAction: fc.constantFrom("Deny", "Pass") }), word),
  resource("Profile", optional({ ingress: rules, egress: rules, labelsToApply: labels })),
  resource("GlobalNetworkSet", optional({ nets: distinct(fc.oneof(cidr, ip), { maxLength: 3 }) })),
  namespaced(resource("NetworkSet", optional({ nets: distinct(cidr, { maxLength: 3 }) }))),
  resource("HostEndpoint", hostEndpointSpec),
  resource("FelixConfiguration", felixSpec, fc.constant("default")),
  resource(
    "KubeControllersConfiguration",
    fc.record({ controllers: optional({ policy: fc.record({ reconcilerPeriod: duration }) }) }),
    fc.constant("default"),
  ),
  resource(
    "CalicoNodeStatus",
    fc.record({ node: word, classes: fc.constant(["BGP"]), updatePeriodSeconds: fc.nat({ max: 86400 }) }),
  ),
];

/** A valid document of any kind. */
export const validDocument: fc.Arbitrary<object> = fc.oneof(
  ...policyDocuments,
  resource("Node", nodeSpec),
  resource("IPPool", poolSpec),
  resource("BGPConfiguration", configurationSpec, fc.constant("default")),
  resource("BGPPeer", peerSpec),
  resource(
    "BGPFilter",
    optional({
      exportV4: fc.array(filterRule, { maxLength: 2 }),
      importV4: fc.array(filterRule, { maxLength: 2 }),
    }),
  ),
  resource(
    "ClusterInformation",
    optional({ clusterGUID: word, clusterType: anyText, datastoreReady: fc.boolean() }),
    fc.constant("default"),
  ),
  resource(
    "IPAMConfiguration",
    fc.oneof(
      fc.constant({}),
      fc.constant({ strictAffinity: false, autoAllocateBlocks: true }),
      fc.record({
        strictAffinity: fc.constant(true),
        autoAllocateBlocks: fc.boolean(),
        maxBlocksPerHost: fc.nat({ max: 1000000 }),
      }),
    ),
    fc.constant("default"),
  ),
  resource("IPReservation", fc.record({ reservedCIDRs: distinct(fc.oneof(cidr, ip), { maxLength: 3 }) })),
  endpoint,
);

/** Any selector in parsed form that asks about these labels and values. */
export function selectorOver(
  label: fc.Arbitrary<string>,
  value: fc.Arbitrary<string>,
): fc.Arbitrary<Selector> {
  const leaf: fc.Arbitrary<Selector> = fc.oneof(
    fc.constant<Selector>({ kind: "all" }),
    fc.constant<Selector>({ kind: "global" }),
    label.map((name): Selector => ({ kind: "has", label: name })),
    fc
      .tuple(fc.constantFrom("==", "!=", "contains", "starts with", "ends with"), label, value)
      .map(([operator, name, text]): Selector => ({ kind: "compare", operator, label: name, value: text })),
    fc
      .tuple(fc.boolean(), label, fc.uniqueArray(value, { maxLength: 3 }))
      .map(([negated, name, values]): Selector => ({
        kind: "in",
        negated,
        label: name,
        values: values.toSorted(),
      })),
  );
  return fc.letrec<{ tree: Selector }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      tie("tree").map((operand): Selector =>
        operand.kind === "not" ? operand.operand : { kind: "not", operand },
      ),
      fc
        .tuple(fc.constantFrom("and", "or"), fc.array(tie("tree"), { minLength: 2, maxLength: 3 }))
        .map(([kind, operands]): Selector => ({ kind, operands })),
    ),
  })).tree;
}

/** Any selector in parsed form. */
export const selector: fc.Arbitrary<Selector> = selectorOver(
  fc.stringMatching(/^[a-zA-Z0-9_./-]{1,8}$/),
  fc.string({ maxLength: 6 }).filter((text) => !(text.includes("'") && text.includes('"'))),
);
