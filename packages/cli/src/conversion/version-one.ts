import { isRecord } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { partOf, present, type RawDocument, refuseStray, textOf } from "./document-parts.ts";
import {
  addressName,
  nodeName,
  policyName,
  profileName,
  rangeName,
  resourceName,
} from "./version-one-names.ts";
import { convertProtocol, convertRules, convertSelector } from "./version-one-rules.ts";

/** What one kind of API version 1 is today: its kind, metadata and spec. */
type Converter = (
  metadata: RawDocument,
  spec: RawDocument,
) => { readonly kind: string; readonly metadata: RawDocument; readonly spec: RawDocument };

const converters: Readonly<Record<string, Converter>> = {
  bgppeer: convertPeer,
  hostendpoint: convertHostEndpoint,
  ippool: convertPool,
  node: convertNode,
  policy: convertPolicy,
  profile: convertProfile,
};

/** A document of `apiVersion: v1` as one of today's; throws `CliError` for kinds and fields that have no counterpart. */
export function convertVersionOne(document: RawDocument): RawDocument {
  const kind = textOf(document.kind);
  const converter = Object.hasOwn(converters, kind.toLowerCase())
    ? converters[kind.toLowerCase()]
    : undefined;
  if (converter === undefined) {
    const why =
      kind.toLowerCase() === "workloadendpoint"
        ? "; the network plugin makes it anew"
        : "; these can: bgpPeer, hostEndpoint, ipPool, node, policy, profile";
    throw new CliError(`a ${kind || "document without kind"} of v1 cannot be converted${why}`);
  }
  return {
    apiVersion: "projectcalico.org/v3",
    ...converter(partOf(document, "metadata"), partOf(document, "spec")),
  };
}

function convertPeer(metadata: RawDocument, spec: RawDocument): ReturnType<Converter> {
  const { scope, node, peerIP, ...strayMetadata } = metadata;
  const { asNumber, ...stray } = spec;
  refuseStray({ ...strayMetadata, ...stray }, "a bgpPeer");
  const address = addressName(textOf(peerIP));
  if (address === undefined) throw new CliError(`no peerIP is set, or it is no address: ${textOf(peerIP)}`);
  if (scope !== "global" && scope !== "node")
    throw new CliError(`a bgpPeer's scope is global or node, not '${textOf(scope)}'`);
  if ((scope === "node") !== (textOf(node) !== "")) {
    throw new CliError(`a bgpPeer of scope ${scope} ${scope === "node" ? "needs" : "has no"} node`);
  }
  const own = nodeName(textOf(node));
  return {
    kind: "BGPPeer",
    metadata: { name: scope === "node" ? `${own}.${address}` : address },
    spec: present({ node: own || undefined, peerIP, asNumber }),
  };
}

function convertHostEndpoint(metadata: RawDocument, spec: RawDocument): ReturnType<Converter> {
  const { name, node, labels, ...strayMetadata } = metadata;
  const { interfaceName, expectedIPs, profiles, ports, ...stray } = spec;
  refuseStray({ ...strayMetadata, ...stray }, "a hostEndpoint");
  const own = nodeName(textOf(node));
  const portList: readonly unknown[] = Array.isArray(ports) ? ports : [];
  return {
    kind: "HostEndpoint",
    metadata: present({ name: resourceName(`${own}.${textOf(name)}`), labels }),
    spec: present({
      node: own,
      interfaceName,
      expectedIPs,
      profiles: Array.isArray(profiles) ? profiles.map((profile) => profileName(String(profile))) : undefined,
      ports:
        portList.length === 0
          ? undefined
          : portList.map((port) =>
              isRecord(port) ? { ...port, protocol: convertProtocol(port.protocol) } : port,
            ),
    }),
  };
}

function convertPool(metadata: RawDocument, spec: RawDocument): ReturnType<Converter> {
  const { cidr, ...strayMetadata } = metadata;
  const { ipip, "nat-outgoing": natOutgoing, disabled, ...stray } = spec;
  refuseStray({ ...strayMetadata, ...stray }, "an ipPool");
  const name = rangeName(textOf(cidr));
  if (name === undefined) throw new CliError(`an ipPool's cidr is no range of addresses: ${textOf(cidr)}`);
  const mode =
    isRecord(ipip) && ipip.enabled === true
      ? ipip.mode === "cross-subnet"
        ? "CrossSubnet"
        : "Always"
      : "Never";
  return {
    kind: "IPPool",
    metadata: { name },
    spec: present({ cidr, ipipMode: mode, natOutgoing, disabled }),
  };
}

function convertNode(metadata: RawDocument, spec: RawDocument): ReturnType<Converter> {
  const { name, ...strayMetadata } = metadata;
  const { bgp, orchRefs, ...stray } = spec;
  refuseStray({ ...strayMetadata, ...stray }, "a node");
  return { kind: "Node", metadata: { name: nodeName(textOf(name)) }, spec: present({ bgp, orchRefs }) };
}

function convertPolicy(metadata: RawDocument, spec: RawDocument): ReturnType<Converter> {
  const { name, tier, annotations, ...strayMetadata } = metadata;
  const { order, ingress, egress, selector, doNotTrack, preDNAT, types, applyOnForward, ...stray } = spec;
  refuseStray({ ...strayMetadata, ...stray }, "a policy");
  const isEmpty = (rules: unknown): boolean => !Array.isArray(rules) || rules.length === 0;
  const both = [
    ...(isEmpty(egress) || !isEmpty(ingress) ? ["Ingress"] : []),
    ...(isEmpty(egress) ? [] : ["Egress"]),
  ];
  const given: readonly unknown[] = Array.isArray(types) ? types : [];
  const isForwarded = doNotTrack === true || preDNAT === true || applyOnForward === true;
  return {
    kind: "GlobalNetworkPolicy",
    metadata: present({ name: policyName(textOf(name)), annotations }),
    spec: present({
      tier: textOf(tier) === "" ? "default" : policyName(textOf(tier)),
      order,
      selector: convertSelector(selector),
      types:
        given.length === 0
          ? both
          : given.map((type) => (/^egress$/i.test(String(type)) ? "Egress" : "Ingress")),
      ingress: convertRules(ingress),
      egress: convertRules(egress),
      doNotTrack,
      preDNAT,
      applyOnForward: isForwarded ? true : undefined,
    }),
  };
}

function convertProfile(metadata: RawDocument, spec: RawDocument): ReturnType<Converter> {
  const { name, tags, labels, ...strayMetadata } = metadata;
  const { ingress, egress, ...stray } = spec;
  refuseStray({ ...strayMetadata, ...stray }, "a profile");
  const labelsToApply: Record<string, unknown> = isRecord(labels) ? { ...labels } : {};
  const tagList: readonly unknown[] = Array.isArray(tags) ? tags : [];
  for (const tag of tagList.map(String)) {
    if (Object.hasOwn(labelsToApply, tag)) {
      throw new CliError(
        `profile ${textOf(name)} has the tag ${tag} and a label of that name: give one of them another`,
      );
    }
    labelsToApply[tag] = "";
  }
  return {
    kind: "Profile",
    metadata: { name: profileName(textOf(name)) },
    spec: present({ labelsToApply, ingress: convertRules(ingress), egress: convertRules(egress) }),
  };
}
