/**
 * What Calico's published custom resource definitions say of each field, in a short form of our own. Read from
 * `api/config/crd/projectcalico.org_*.yaml` of github.com/projectcalico/calico (versions of 2025 and 2026, for each kind the
 * newest at hand; BGPFilter from `libcalico-go/config/crd`).
 *
 * A line is a field: its path (`[]` is an item of a list, `!` a required field), its type, and limits. Types: JSON Schema's, `map`
 * (of texts), `list`, `set` (a list without duplicates), `port` (a number or text), `{A,B}` (words), `~{A,B}` (words in any
 * case), `duration`. Limits: `0..255` of a number, `<=3` and `>=1` of the length of a text or list, `=Info` what is filled in.
 */
const entity = `
SIDE object
SIDE.namespaceSelector string <=1024
SIDE.nets set <=256
SIDE.nets[] string
SIDE.notNets set <=256
SIDE.notNets[] string
SIDE.notPorts list <=50
SIDE.notPorts[] port
SIDE.notSelector string <=1024
SIDE.ports list <=50
SIDE.ports[] port
SIDE.selector string <=1024
SIDE.serviceAccounts object
SIDE.serviceAccounts.names set
SIDE.serviceAccounts.names[] string
SIDE.serviceAccounts.selector string
SIDE.services object
SIDE.services.name string <=253
SIDE.services.namespace string <=253`;

const icmp = `
FIELD object
FIELD.code integer 0..255
FIELD.type integer 0..254`;

const rules = ["ingress", "egress"]
  .map((direction) =>
    `
spec.RULES list <=1024
spec.RULES[] object
spec.RULES[].action! {Allow,Deny,Log,Pass}
${entity.replaceAll("SIDE", "spec.RULES[].source")}
${entity.replaceAll("SIDE", "spec.RULES[].destination")}
spec.RULES[].http object
spec.RULES[].http.methods list <=20
spec.RULES[].http.methods[] string
spec.RULES[].http.paths list <=20
spec.RULES[].http.paths[] object
spec.RULES[].http.paths[].exact string <=1024
spec.RULES[].http.paths[].prefix string <=1024
${icmp.replaceAll("FIELD", "spec.RULES[].icmp")}
${icmp.replaceAll("FIELD", "spec.RULES[].notICMP")}
spec.RULES[].ipVersion {4,6}
spec.RULES[].metadata object
spec.RULES[].metadata.annotations map
spec.RULES[].protocol port
spec.RULES[].notProtocol port`.replaceAll("RULES", direction),
  )
  .join("\n");

const policy = `
spec! object
${rules}
spec.order number
spec.performanceHints set
spec.performanceHints[] {AssumeNeededOnEveryNode}
spec.selector string <=1024
spec.serviceAccountSelector string <=1024
spec.tier string =default
spec.types set >=1 <=2
spec.types[] {Ingress,Egress}`;

const globalPolicy = `${policy}
spec.applyOnForward boolean
spec.doNotTrack boolean
spec.namespaceSelector string
spec.preDNAT boolean`;

const stagedAction = "spec.stagedAction {Set,Delete,Learn,Ignore} =Set";

const conditions = `
status object
status.conditions list
status.conditions[] object
status.conditions[].lastTransitionTime! string
status.conditions[].message! string <=32768
status.conditions[].observedGeneration integer 0..
status.conditions[].reason! string <=1024
status.conditions[].status! {True,False,Unknown}
status.conditions[].type! string <=316`;

const kubernetesSelector = `
FIELD object
FIELD.matchExpressions list
FIELD.matchExpressions[] object
FIELD.matchExpressions[].key! string
FIELD.matchExpressions[].operator! string
FIELD.matchExpressions[].values list
FIELD.matchExpressions[].values[] string
FIELD.matchLabels map`;

const kubernetesRules = (direction: string, side: string): string =>
  `
spec.RULES list
spec.RULES[] object
spec.RULES[].ports list
spec.RULES[].ports[] object
spec.RULES[].ports[].endPort integer
spec.RULES[].ports[].port port
spec.RULES[].ports[].protocol string
spec.RULES[].SIDE list
spec.RULES[].SIDE[] object
spec.RULES[].SIDE[].ipBlock object
spec.RULES[].SIDE[].ipBlock.cidr! string
spec.RULES[].SIDE[].ipBlock.except list
spec.RULES[].SIDE[].ipBlock.except[] string
${kubernetesSelector.replaceAll("FIELD", "spec.RULES[].SIDE[].namespaceSelector")}
${kubernetesSelector.replaceAll("FIELD", "spec.RULES[].SIDE[].podSelector")}`
    .replaceAll("RULES", direction)
    .replaceAll("SIDE", side);

const filterRules = ["exportV4", "importV4", "exportV6", "importV6"]
  .map((rulesOf) =>
    `
spec.RULES list
spec.RULES[] object
spec.RULES[].action! {Accept,Reject}
spec.RULES[].asPathPrefix list
spec.RULES[].asPathPrefix[] integer
spec.RULES[].cidr string <=CIDR
spec.RULES[].communities object
spec.RULES[].communities.values! list >=1 <=1
spec.RULES[].communities.values[] string <=32
spec.RULES[].interface string <=15
spec.RULES[].matchOperator {Equal,NotEqual,In,NotIn}
spec.RULES[].operations list >=1 <=10
spec.RULES[].operations[] object
spec.RULES[].operations[].addCommunity object
spec.RULES[].operations[].addCommunity.value! string <=32
spec.RULES[].operations[].prependASPath object
spec.RULES[].operations[].prependASPath.prefix! list >=1 <=10
spec.RULES[].operations[].prependASPath.prefix[] integer
spec.RULES[].operations[].setPriority object
spec.RULES[].operations[].setPriority.value! integer 1..2147483646
spec.RULES[].peerType {eBGP,iBGP}
spec.RULES[].prefixLength object
spec.RULES[].prefixLength.max integer 0..LENGTH
spec.RULES[].prefixLength.min integer 0..LENGTH
spec.RULES[].priority integer 1..2147483646
spec.RULES[].source {RemotePeers}`
      .replaceAll("RULES", rulesOf)
      .replaceAll("LENGTH", rulesOf.endsWith("4") ? "32" : "128")
      .replace("CIDR", rulesOf.endsWith("4") ? "18" : "49"),
  )
  .join("\n");

const secret = `
FIELD object
FIELD.secretKeyRef object
FIELD.secretKeyRef.key! string
FIELD.secretKeyRef.name string
FIELD.secretKeyRef.optional boolean`;

const serviceAddresses = ["serviceClusterIPs", "serviceExternalIPs", "serviceLoadBalancerIPs"]
  .map((field) => `spec.${field} set\nspec.${field}[] object\nspec.${field}[].cidr string`)
  .join("\n");

const controllers = `
PART.controllers! object
PART.controllers.loadBalancer object
PART.controllers.loadBalancer.assignIPs {AllServices,RequestedServicesOnly} =AllServices
PART.controllers.namespace object
PART.controllers.namespace.reconcilerPeriod duration
PART.controllers.node object
PART.controllers.node.hostEndpoint object
PART.controllers.node.hostEndpoint.autoCreate {Enabled,Disabled}
PART.controllers.node.hostEndpoint.createDefaultHostEndpoint string
PART.controllers.node.hostEndpoint.templates list
PART.controllers.node.hostEndpoint.templates[] object
PART.controllers.node.hostEndpoint.templates[].generateName string <=253
PART.controllers.node.hostEndpoint.templates[].interfaceCIDRs set
PART.controllers.node.hostEndpoint.templates[].interfaceCIDRs[] string
PART.controllers.node.hostEndpoint.templates[].interfacePattern string
PART.controllers.node.hostEndpoint.templates[].labels map
PART.controllers.node.hostEndpoint.templates[].nodeSelector string
PART.controllers.node.leakGracePeriod duration
PART.controllers.node.reconcilerPeriod duration
PART.controllers.node.syncLabels {Enabled,Disabled}
PART.controllers.policy object
PART.controllers.policy.reconcilerPeriod duration
PART.controllers.policyMigration object
PART.controllers.policyMigration.enabled {Disabled,Enabled} =Enabled
PART.controllers.serviceAccount object
PART.controllers.serviceAccount.reconcilerPeriod duration
PART.controllers.workloadEndpoint object
PART.controllers.workloadEndpoint.reconcilerPeriod duration
PART.debugProfilePort integer 0..65535
PART.etcdV3CompactionPeriod duration
PART.healthChecks {Enabled,Disabled} =Enabled
PART.logSeverityScreen {None,Debug,Info,Warning,Error,Fatal,Panic}
PART.prometheusMetricsPort integer 0..65535`;

const bird = `
FIELD object
FIELD.lastBootTime string
FIELD.lastReconfigurationTime string
FIELD.routerID string
FIELD.state {Ready,NotReady}
FIELD.version string`;

const peers = `
FIELD list
FIELD[] object
FIELD[].peerIP string
FIELD[].since string
FIELD[].state {Idle,Connect,Active,OpenSent,OpenConfirm,Established,Close}
FIELD[].type {NodeMesh,NodePeer,GlobalPeer}`;

const routes = `
FIELD list
FIELD[] object
FIELD[].destination string
FIELD[].gateway string
FIELD[].interface string
FIELD[].learnedFrom object
FIELD[].learnedFrom.peerIP string
FIELD[].learnedFrom.sourceType {Kernel,Static,Direct,NodeMesh,BGPPeer}
FIELD[].type {FIB,RIB}`;

/** The published fields of every kind, but those of FelixConfiguration. */
export const publishedFields: Readonly<Record<string, string>> = {
  BGPConfiguration: `
spec! object
spec.asNumber integer
spec.bindMode {None,NodeIP}
spec.communities set
spec.communities[] object
spec.communities[].name string
spec.communities[].value string
spec.ignoredInterfaces set
spec.ignoredInterfaces[] string
spec.listenPort integer 1..65535
spec.localWorkloadPeeringIPV4 string
spec.localWorkloadPeeringIPV6 string
spec.logSeverityScreen ~{Trace,Debug,Info,Warning,Error,Fatal} =Info
spec.nodeMeshMaxRestartTime duration
${secret.replaceAll("FIELD", "spec.nodeMeshPassword")}
spec.nodeToNodeMeshEnabled boolean
spec.prefixAdvertisements set
spec.prefixAdvertisements[] object
spec.prefixAdvertisements[].cidr string
spec.prefixAdvertisements[].communities list
spec.prefixAdvertisements[].communities[] string
spec.programClusterRoutes {Enabled,Disabled}
${serviceAddresses}
spec.serviceLoadBalancerAggregation {Enabled,Disabled} =Enabled`,
  BGPFilter: `spec object\n${filterRules}`,
  BGPPeer: `
spec! object
spec.asNumber integer
spec.filters list
spec.filters[] string
spec.keepOriginalNextHop boolean
spec.keepaliveTime duration
spec.localASNumber integer
spec.localWorkloadSelector string <=1024
spec.maxRestartTime duration
spec.nextHopMode {Auto,Self,Keep}
spec.node string <=253
spec.nodeSelector string <=1024
spec.numAllowedLocalASNumbers integer
${secret.replaceAll("FIELD", "spec.password")}
spec.peerIP string <=64
spec.peerSelector string <=1024
spec.reachableBy string <=64
spec.reversePeering {Auto,Manual}
spec.sourceAddress {UseNodeIP,None}
spec.ttlSecurity integer`,
  BlockAffinity: `
spec! object
spec.cidr! string
spec.deleted! boolean =false
spec.node! string
spec.state! {,confirmed,pending,pendingDeletion}
spec.type string`,
  CalicoNodeStatus: `
spec! object
spec.classes list
spec.classes[] {Agent,BGP,Routes}
spec.node string
spec.updatePeriodSeconds integer
status object
status.agent object
${bird.replaceAll("FIELD", "status.agent.birdV4")}
${bird.replaceAll("FIELD", "status.agent.birdV6")}
status.bgp object
status.bgp.numberEstablishedV4! integer
status.bgp.numberEstablishedV6! integer
status.bgp.numberNotEstablishedV4! integer
status.bgp.numberNotEstablishedV6! integer
${peers.replaceAll("FIELD", "status.bgp.peersV4")}
${peers.replaceAll("FIELD", "status.bgp.peersV6")}
status.lastUpdated string
status.routes object
${routes.replaceAll("FIELD", "status.routes.routesV4")}
${routes.replaceAll("FIELD", "status.routes.routesV6")}`,
  ClusterInformation: `
spec object
spec.calicoVersion string
spec.clusterGUID string
spec.clusterType string
spec.datastoreReady boolean
spec.variant string`,
  GlobalNetworkPolicy: globalPolicy,
  GlobalNetworkSet: `
spec! object
spec.nets set <=100000
spec.nets[] string <=49`,
  HostEndpoint: `
spec! object
spec.expectedIPs set
spec.expectedIPs[] string
spec.interfaceName string
spec.node string
spec.ports list
spec.ports[] object
spec.ports[].name! string
spec.ports[].port! integer 1..65535
spec.ports[].protocol! port
spec.profiles set
spec.profiles[] string`,
  IPAMConfiguration: `
spec! object
spec.autoAllocateBlocks! boolean =true
spec.kubeVirtVMAddressPersistence {Enabled,Disabled}
spec.maxBlocksPerHost integer 0..1000000 =0
spec.minIPReclaimAgeSeconds integer
spec.strictAffinity! boolean =false`,
  IPPool: `
spec! object
spec.allowedUses set
spec.allowedUses[] {Workload,Tunnel,LoadBalancer}
spec.assignmentMode {Automatic,Manual} =Automatic
spec.blockSize integer 0..128
spec.cidr! string
spec.disableBGPExport boolean
spec.disabled boolean
spec.ipipMode {Never,Always,CrossSubnet}
spec.namespaceSelector string
spec.natOutgoing boolean
spec.nodeSelector string
spec.vxlanMode {Never,Always,CrossSubnet}`,
  IPReservation: `
spec! object
spec.reservedCIDRs set
spec.reservedCIDRs[] string`,
  KubeControllersConfiguration: `
spec! object
${controllers.replaceAll("PART", "spec")}
status object
status.environmentVars map
status.runningConfig object
${controllers.replaceAll("PART", "status.runningConfig")}`,
  NetworkPolicy: policy,
  NetworkSet: `
spec! object
spec.nets set <=100000
spec.nets[] string <=49`,
  Profile: `spec object\n${rules}\nspec.labelsToApply map`,
  StagedGlobalNetworkPolicy: `${globalPolicy}\n${stagedAction}`,
  StagedKubernetesNetworkPolicy: `
spec! object
${kubernetesRules("egress", "to")}
${kubernetesRules("ingress", "from")}
${kubernetesSelector.replaceAll("FIELD", "spec.podSelector")}
spec.policyTypes set >=1 <=2
spec.policyTypes[] string
${stagedAction}
${conditions}`,
  StagedNetworkPolicy: `${policy}\n${stagedAction}`,
  Tier: `
spec! object
spec.defaultAction {Pass,Deny} =Deny
spec.order number
${conditions}`,
};
