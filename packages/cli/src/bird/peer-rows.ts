/** One neighbour as `node status` shows it. */
export interface PeerRow {
  readonly address: string;
  readonly type: string;
  readonly state: string;
  readonly since: string;
  readonly info: string;
}

const peerTypes: Readonly<Record<string, string>> = {
  Global: "global",
  Mesh: "node-to-node mesh",
  Node: "node specific",
};

/**
 * The BGP neighbours among the rows of `show protocols`, read as calicoctl reads them: their names tell type and address.
 * Sessions of other kinds (with workloads) have other names and are left out.
 */
export function peerRows(lines: readonly string[], family: 4 | 6): readonly PeerRow[] {
  return lines.flatMap((line) => {
    const [name = "", protocol, , state = "", since = "", ...info] = line.trim().split(/\s+/);
    const [, prefix = "", rest = ""] = /^(Global|Node|Mesh)_(.+)$/.exec(name) ?? [];
    const type = peerTypes[prefix];
    if (protocol !== "BGP" || type === undefined) return [];
    const address = rest.replaceAll("_", family === 4 ? "." : ":");
    return [{ address, type, state, since, info: info.join(" ") }];
  });
}
