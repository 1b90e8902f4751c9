import { resolveSrv } from "node:dns/promises";
import { messageOf } from "@caracal/net";
import { CliError } from "../cli-error.ts";

/** Where a name service says that something runs. */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
}

/**
 * The endpoints of an etcd that a domain names by SRV records (RFC 2782): `_etcd-client-ssl._tcp` with TLS, `_etcd-client._tcp`
 * without; those of the lowest priority number come first.
 */
export async function discoverEtcd(
  domain: string,
  resolve: (name: string) => Promise<readonly ServiceRecord[]> = resolveSrv,
): Promise<string> {
  const ask = async (
    service: string,
    scheme: string,
  ): Promise<readonly (ServiceRecord & { scheme: string })[]> => {
    const records = await resolve(`_${service}._tcp.${domain}`).catch((error: unknown) => {
      if (isUnknownName(error)) return [];
      throw new CliError(`cannot look up etcd at ${domain}: ${messageOf(error)}`, { cause: error });
    });
    return records.toSorted((a, b) => a.priority - b.priority).map((record) => ({ ...record, scheme }));
  };
  const records = [...(await ask("etcd-client-ssl", "https")), ...(await ask("etcd-client", "http"))];
  if (records.length === 0) throw new CliError(`${domain} has no SRV records of etcd clients`);
  return records.map(({ name, port, scheme }) => `${scheme}://${name.replace(/\.$/, "")}:${port}`).join(",");
}

function isUnknownName(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && (error.code === "ENOTFOUND" || error.code === "ENODATA")
  );
}
