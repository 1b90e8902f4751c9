import { StoreError } from "@caracal/datastore";
import type { ApiAnswer, ApiClient, ApiStream } from "./api-client.ts";
import { refusalText } from "./api-failure.ts";
import { type ApiObject, readApiObject } from "./api-object.ts";
import { fields, list, text } from "./json-fields.ts";

/** A kind of the API server: `/apis/<group>/<version>/…/<plural>`, or `/api/v1/…` for the core group "". */
export interface ApiResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  /** Its objects hold whole numbers beyond 2^53. */
  readonly hasBigNumbers?: boolean;
}

/** Which object of a kind. */
export interface Address {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** How a write ended, before anyone looks at what is there instead. */
export type WriteAnswer =
  | { readonly kind: "ok"; readonly object: ApiObject }
  | { readonly kind: "exists" | "conflict" | "missing" };

export interface Page {
  readonly objects: readonly ApiObject[];
  readonly resourceVersion: string;
  /** Where the next page begins. */
  readonly next: string | undefined;
}

/** The state that a write or delete insists on. */
export interface Preconditions {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Objects asked for at a time. */
const pageObjects = 500;
/** A page may be a thousand times as large as an object. */
const pageTimeoutMs = 30_000;

/** Requests on the objects of one kind. Throws `StoreError` only. */
export class ObjectApi {
  readonly resource: ApiResource;
  readonly #client: ApiClient;

  constructor(client: ApiClient, resource: ApiResource) {
    this.#client = client;
    this.resource = resource;
  }

  async get(address: Address): Promise<ApiObject | undefined> {
    const answer = await this.#request("GET", this.#objectPath(address));
    return answer.status === 404 ? undefined : this.#object(answer);
  }

  async create(body: object, namespace: string | undefined): Promise<WriteAnswer> {
    const answer = await this.#request("POST", this.collectionPath(namespace), { body });
    if (answer.status === 409) return { kind: "exists" };
    // Either the kind or the namespace is not there; the object cannot be what is missing.
    if (answer.status === 404) throw this.#notThere(answer);
    return { kind: "ok", object: this.#object(answer) };
  }

  /** The body's `metadata.resourceVersion` must be the object's. */
  async replace(address: Address, body: object, subresource?: "status"): Promise<WriteAnswer> {
    return this.#writeAnswer(await this.#request("PUT", this.#objectPath(address, subresource), { body }));
  }

  /** A strategic merge patch: maps are merged, `null` removes. */
  async patch(address: Address, body: object, subresource?: "status"): Promise<WriteAnswer> {
    const contentType = "application/strategic-merge-patch+json";
    const path = this.#objectPath(address, subresource);
    return this.#writeAnswer(await this.#request("PATCH", path, { body, contentType }));
  }

  async remove(address: Address, preconditions: Preconditions): Promise<"ok" | "conflict" | "missing"> {
    const body = { kind: "DeleteOptions", apiVersion: "v1", preconditions };
    const answer = await this.#request("DELETE", this.#objectPath(address), { body });
    if (answer.status === 404) return "missing";
    if (answer.status === 409) return "conflict";
    this.#check(answer);
    return "ok";
  }

  /** One page; undefined when the server does not know the kind, "expired" when the listing must begin anew. */
  async page(namespace: string | undefined, next: string | undefined): Promise<Page | "expired" | undefined> {
    const query = { limit: String(pageObjects), ...(next === undefined ? {} : { continue: next }) };
    const path = this.collectionPath(namespace);
    const answer = await this.#request("GET", path, { query, timeoutMs: pageTimeoutMs });
    if (answer.status === 404) return undefined;
    if (answer.status === 410) return "expired";
    this.#check(answer);
    const { items, metadata } = fields(answer.document);
    const resourceVersion = text(fields(metadata)["resourceVersion"]);
    if (!Array.isArray(items) || resourceVersion === undefined) throw this.#garbage();
    return {
      objects: list(items).map((item) => readApiObject(item) ?? this.#refuseGarbage()),
      resourceVersion,
      next: text(fields(metadata)["continue"]),
    };
  }

  /** The version that the kind is at now; undefined when the server does not know the kind. */
  async currentVersion(): Promise<string | undefined> {
    const answer = await this.#request("GET", this.collectionPath(undefined), { query: { limit: "1" } });
    if (answer.status === 404) return undefined;
    this.#check(answer);
    return text(fields(fields(answer.document)["metadata"])["resourceVersion"]) ?? this.#refuseGarbage();
  }

  /** The events after a version, until the server ends the stream. */
  async watch(
    namespace: string | undefined,
    after: string,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<ApiStream | (ApiAnswer & { chunks?: never })> {
    const query = {
      watch: "1",
      resourceVersion: after,
      allowWatchBookmarks: "true",
      timeoutSeconds: String(timeoutSeconds),
    };
    return this.#client.stream({ method: "GET", path: this.collectionPath(namespace), query }, signal);
  }

  collectionPath(namespace: string | undefined): string {
    const { group, version, plural } = this.resource;
    const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
    const within = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
    return `${root}${within}/${plural}`;
  }

  /** An answer that this client cannot go on with. */
  refusal({ status, document }: ApiAnswer): StoreError {
    const reason = refusalText(document, "");
    if (status === 410) return new StoreError("compacted", `${this.resource.plural}: ${reason}`);
    return new StoreError("invalid", reason);
  }

  #objectPath({ name, namespace }: Address, subresource?: "status"): string {
    const path = `${this.collectionPath(namespace)}/${encodeURIComponent(name)}`;
    return subresource === undefined ? path : `${path}/${subresource}`;
  }

  #request(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    more: {
      readonly body?: object;
      readonly query?: Readonly<Record<string, string>>;
      readonly contentType?: string;
      readonly timeoutMs?: number;
    } = {},
  ): Promise<ApiAnswer> {
    const hasBigNumbers = this.resource.hasBigNumbers ?? false;
    return this.#client.request({ method, path, hasBigNumbers, ...more });
  }

  #writeAnswer(answer: ApiAnswer): WriteAnswer {
    if (answer.status === 404) return { kind: "missing" };
    if (answer.status === 409) return { kind: "conflict" };
    return { kind: "ok", object: this.#object(answer) };
  }

  #object(answer: ApiAnswer): ApiObject {
    this.#check(answer);
    return readApiObject(answer.document) ?? this.#refuseGarbage();
  }

  #check(answer: ApiAnswer): void {
    if (answer.status >= 300) throw this.refusal(answer);
  }

  #notThere(answer: ApiAnswer): StoreError {
    const { details, message } = fields(answer.document);
    if (text(fields(details)["name"]) !== undefined) return new StoreError("invalid", text(message) ?? "");
    const { group, plural } = this.resource;
    const kind = group === "" ? plural : `${plural}.${group}`;
    return new StoreError(
      "invalid",
      `the API server does not know ${kind}: apply its CustomResourceDefinition, which 'caracal crds' prints`,
    );
  }

  #garbage(): StoreError {
    return new StoreError(
      "unavailable",
      `${this.#client.where}: it does not answer as a Kubernetes API server does`,
    );
  }

  #refuseGarbage(): never {
    throw this.#garbage();
  }
}
