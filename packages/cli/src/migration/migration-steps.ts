import type { ResourceClient, ResourceOutcome } from "@caracal/datastore";
import { reflectorLabel, type ReflectorPlan, reflectorPeerName } from "@caracal/insight";
import { apiVersion, type BgpConfiguration, type Node, type Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { editResource } from "../resources/edit-resource.ts";

/** Which nodes our label was put on by the move, so that the way back takes off no other's. */
const labelledAnnotation = "caracal.io/labelled-nodes";

/** The peering with the reflectors, and the labels that it selects. While the mesh stands, its sessions win. */
export async function addPeering(resources: ResourceClient, plan: ReflectorPlan): Promise<void> {
  const found = await resources.get("BGPPeer", reflectorPeerName);
  const before = found.kind === "ok" ? found.resource.metadata.annotations?.[labelledAnnotation] : undefined;
  const labelled = new Set((before ?? "").split(",").filter((name) => name !== ""));
  for (const name of plan.reflectors) {
    await editNode(resources, name, (node) => {
      if (node.metadata.labels?.[reflectorLabel] === "true") return node;
      labelled.add(name);
      return {
        ...node,
        metadata: { ...node.metadata, labels: { ...node.metadata.labels, [reflectorLabel]: "true" } },
      };
    });
  }
  const annotations = { [labelledAnnotation]: [...labelled].join(",") };
  check(await resources.apply({ ...plan.peer, metadata: { ...plan.peer.metadata, annotations } }));
}

/** The peering goes last: it knows the labels, so that a removal that broke off can be done again. */
export async function removePeering(resources: ResourceClient): Promise<void> {
  const found = await resources.get("BGPPeer", reflectorPeerName);
  if (found.kind === "failed") return;
  const labelled = (found.resource.metadata.annotations?.[labelledAnnotation] ?? "").split(",");
  for (const name of labelled.filter((one) => one !== "")) {
    await editNode(resources, name, (node) => {
      const { [reflectorLabel]: _ours, ...labels } = node.metadata.labels ?? {};
      return { ...node, metadata: { ...node.metadata, labels } };
    });
  }
  check(await resources.delete("BGPPeer", reflectorPeerName));
}

/** Makes a node a reflector, or with `undefined` a plain node again. */
export async function setClusterId(
  resources: ResourceClient,
  name: string,
  clusterId: string | undefined,
): Promise<void> {
  await editNode(resources, name, (node) => {
    const { routeReflectorClusterID: _before, ...bgp } = node.spec.bgp ?? {};
    return {
      ...node,
      spec: {
        ...node.spec,
        bgp: { ...bgp, ...(clusterId === undefined ? {} : { routeReflectorClusterID: clusterId }) },
      },
    };
  });
}

export async function setMesh(resources: ResourceClient, isOn: boolean): Promise<void> {
  const found = await resources.get("BGPConfiguration", "default");
  if (found.kind === "ok") {
    const { resourceVersion: _any, ...metadata } = found.resource.metadata;
    const spec = { ...found.resource.spec, nodeToNodeMeshEnabled: isOn };
    check(await resources.update({ ...found.resource, metadata, spec }));
    return;
  }
  const fresh: BgpConfiguration = {
    kind: "BGPConfiguration",
    apiVersion,
    metadata: { name: "default" },
    spec: { nodeToNodeMeshEnabled: isOn },
  };
  check(await resources.apply(fresh));
}

async function editNode(
  resources: ResourceClient,
  name: string,
  change: (node: Node) => Node,
): Promise<void> {
  const asNode = (resource: Resource): Resource => (resource.kind === "Node" ? change(resource) : resource);
  check(await editResource(resources, { kind: "Node", name, namespace: undefined }, asNode));
}

function check(outcome: ResourceOutcome): void {
  if (outcome.kind === "failed") throw new CliError(outcome.message);
}
