import type { NodeRecord, OpenLab, PodRecord } from "@caracal/lab";
import type { Stage } from "./stage.ts";

const ESTABLISHED = /\| *([0-9.]+) *\| node-to-node mesh \| up +\| [0-9:.-]+ *\| Established *\|/g;

/** `calicoctl node status` of each node: every other one, Established. */
export async function showNodeStatus(stage: Stage, { lab }: OpenLab): Promise<void> {
  stage.step("Each node has a BGP session with every other one");
  const nodes = lab.nodes();
  for (const node of nodes) {
    const { stdout } = await stage.run(
      "lab",
      "exec",
      "--name",
      lab.name,
      shortName(node),
      "--",
      "calicoctl",
      "node",
      "status",
    );
    const peers = [...stdout.matchAll(ESTABLISHED)].map((row) => row[1] ?? "").toSorted();
    const others = nodes.flatMap((other) => (other.name === node.name ? [] : [other.address])).toSorted();
    stage.expect(
      `${shortName(node)} has Established mesh sessions with exactly ${others.join(" and ")}`,
      String(peers) === String(others),
    );
    stage.expect("and no IPv6 peers", stdout.includes("No IPv6 peers found."));
  }
}

/** What the datastore holds: nodes, the pool, its blocks. */
export async function showResources(stage: Stage, { lab, record }: OpenLab): Promise<void> {
  stage.step("What the datastore holds");
  const onNode = (...words: readonly string[]): Promise<{ readonly stdout: string }> =>
    stage.run(
      "lab",
      "exec",
      "--name",
      lab.name,
      shortName(firstNode(lab.nodes())),
      "--",
      "calicoctl",
      ...words,
    );

  const nodes = (await onNode("get", "nodes", "-o", "wide")).stdout;
  for (const node of lab.nodes()) {
    const row = new RegExp(`^${node.name} +\\(64512\\) +${escaped(node.address)}/16\\b`, "m");
    stage.expect(`${node.name} with (64512) and ${node.address}/16`, row.test(nodes));
  }
  const pools = (await onNode("get", "ippool", "-o", "wide")).stdout;
  const { cidr } = record.pool;
  const pool = new RegExp(`^default-ipv4-ippool +${escaped(cidr)} +true +Never +Never .*all\\(\\)`, "m");
  stage.expect(`default-ipv4-ippool ${cidr}, NAT true, IPIP Never, VXLAN Never, all()`, pool.test(pools));

  const ipam = (await onNode("ipam", "show", "--show-blocks")).stdout;
  const blocks = [...ipam.matchAll(/\| *Block *\| *([0-9./]+) *\|/g)];
  stage.expect(
    `the pool ${cidr} and a block for each node`,
    ipam.includes(cidr) && blocks.length === lab.nodes().length,
  );
}

/** The kernel's routes and the BGP table of one node. */
export async function showRoutes(stage: Stage, { lab }: OpenLab): Promise<void> {
  const nodes = lab.nodes();
  const node = firstNode(nodes);
  const others = nodes.filter((other) => other.name !== node.name);
  stage.step(`How ${shortName(node)} routes`);
  const exec = ["lab", "exec", "--name", lab.name, shortName(node), "--"];

  const routes = (await stage.run(...exec, "ip", "route")).stdout;
  for (const other of others) {
    const row = new RegExp(`^10\\.244\\.[0-9.]+/26 via ${escaped(other.address)} dev eth0 proto bird`, "m");
    stage.expect(`a /26 via ${other.address} (${shortName(other)}) dev eth0 proto bird`, row.test(routes));
  }
  const block = /^blackhole (10\.244\.[0-9.]+\/26) proto bird/m.exec(routes)?.[1];
  stage.expect("its own block as a blackhole, proto bird", block !== undefined);
  for (const pod of lab.pods().filter((candidate) => candidate.node === node.name)) {
    const row = new RegExp(`^${escaped(pod.addresses[0] ?? "")} dev cali[0-9a-f]{11} .*scope link`, "m");
    stage.expect(`${pod.name} (${pod.addresses.join(" ")}) dev cali… scope link`, row.test(routes));
  }

  const [remote] = /^10\.244\.[0-9.]+\/26(?= via )/m.exec(routes) ?? ["10.244.0.0/26"];
  const table = (await stage.run(...exec, "birdcl", "show", "route")).stdout;
  for (const other of others) {
    const session = `Mesh_${other.address.replaceAll(".", "_")}`;
    const row = new RegExp(`via ${escaped(other.address)} on eth0 \\[${session} .*\\* \\(100/0\\) \\[i\\]`);
    stage.expect(`a block via ${other.address} from ${session}, (100/0) [i]`, row.test(table));
  }
  stage.expect(
    "its own block as a blackhole of static1",
    new RegExp(`^${escaped(block ?? "none")} +blackhole \\[static1 `, "m").test(table),
  );

  const { stdout: details } = await stage.run(...exec, "birdcl", "show", "route", "for", remote, "all");
  const attributes = ["BGP.origin: IGP", "BGP.as_path:", "BGP.next_hop: 172.18.0.", "BGP.local_pref: 100"];
  const areThere = attributes.every((attribute) => details.includes(attribute));
  stage.expect(
    `${remote} with its BGP attributes: origin IGP, an empty AS path, the next hop, local preference 100`,
    areThere,
  );
}

/** Every pod pings every other one. */
export async function showPings(stage: Stage, { lab }: OpenLab): Promise<void> {
  stage.step("Every pod reaches every other pod");
  const { exitCode, stdout } = await stage.run("lab", "check", "--name", lab.name);
  const podCount = lab.pods().length;
  const good = [...stdout.matchAll(/ 3\/3 +[0-9.]+ ms +reachable$/gm)].length;
  const pairCount = podCount * (podCount - 1);
  stage.expect(`${pairCount} of ${pairCount} pairs without loss`, exitCode === 0 && good === pairCount);
}

/** A node's name without what all have in common, as `lab exec` takes it. */
export function shortName(node: NodeRecord): string {
  return node.name.replace(/^calico-bgp-fullmesh-/, "");
}

export function firstNode(nodes: readonly NodeRecord[]): NodeRecord {
  const [first] = nodes;
  if (first === undefined) throw new Error("the lab has no nodes");
  return first;
}

/** The pod that stands for a node in what is shown. */
export function podOn(pods: readonly PodRecord[], node: NodeRecord): PodRecord {
  const found = pods.find((pod) => pod.node === node.name);
  if (found === undefined) throw new Error(`${node.name} has no pod`);
  return found;
}

function escaped(text: string): string {
  return text.replaceAll(".", "\\.");
}
