import type { PaceLimits } from "./pace.ts";

/** Where an API server is and how to trust it. Certificates and keys are PEM texts. */
export interface ApiServer {
  /** `https://10.96.0.1:443`, or with a path below which the API is. */
  readonly url: string;
  /** Authorities that may have signed the server's certificate; without it the system's. */
  readonly ca?: string;
  /** The name that the server's certificate must have, when it is not the one in the URL. */
  readonly serverName?: string;
  /** Trusts any certificate. */
  readonly insecureSkipTlsVerify?: boolean;
  /** `http://`, `https://` or `socks5://`, HOST:PORT of a proxy to go through. */
  readonly proxyUrl?: string;
  /** Sent with every request, such as whom to act as. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  /** How fast requests may follow each other; as fast as they come unless told. */
  readonly pace?: PaceLimits;
  readonly credentials: Credentials;
}

/** Who we are to the API server. */
export interface Credentials {
  /** What to present now; may read a file or run a program. Throws `StoreError`. */
  present(): Promise<Identity>;
  /** The server did not accept what was presented: the next `present` gets it anew. */
  forget(): void;
}

/** What is presented: a header, a client certificate, or neither. */
export interface Identity {
  readonly authorization?: string;
  readonly certificate?: { readonly cert: string; readonly key: string };
}

/** Presents nothing. */
export const anonymous: Credentials = { present: async () => ({}), forget: () => undefined };
