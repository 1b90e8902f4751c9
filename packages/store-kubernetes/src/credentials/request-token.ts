import { StoreError } from "@caracal/datastore";
import { isRecord } from "@caracal/resources";
import { ApiClient } from "../api/api-client.ts";
import { refusalText } from "../api/api-failure.ts";
import { findApiServer, type FindOptions, type Variables } from "./find-api-server.ts";

/** A service account, and how long its token shall serve; the server may shorten that. */
export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly seconds: number;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds of Unix time. */
  readonly expiresAtMs: number;
}

const timeoutMs = 10_000;

/**
 * A new token for a service account, from the API server that the variables describe (TokenRequest of authentication.k8s.io/v1).
 * Throws `StoreError`.
 */
export async function requestToken(
  variables: Variables,
  { namespace, serviceAccount, seconds }: TokenRequest,
  options: FindOptions = {},
): Promise<IssuedToken> {
  const server = await findApiServer(variables, options);
  const client = new ApiClient(server, timeoutMs);
  try {
    const account = `namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(serviceAccount)}`;
    const { status, document } = await client.request({
      method: "POST",
      path: `/api/v1/${account}/token`,
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: seconds },
      },
    });
    if (status >= 300) throw new StoreError("invalid", `${account}: ${refusalText(document, "")}`);
    const issued = isRecord(document) && isRecord(document["status"]) ? document["status"] : {};
    const { token, expirationTimestamp } = issued;
    const expiresAtMs =
      typeof expirationTimestamp === "string" ? Date.parse(expirationTimestamp) : Number.NaN;
    if (typeof token === "string" && token !== "" && !Number.isNaN(expiresAtMs))
      return { token, expiresAtMs };
    throw new StoreError("unavailable", `${client.where}: the answer to a request for a token has none`);
  } finally {
    client.close();
  }
}
