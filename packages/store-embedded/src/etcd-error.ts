import { status } from "@grpc/grpc-js";

/** A gRPC status. */
export interface Refusal {
  readonly code: number;
  readonly details: string;
}

type RefusalName =
  | "emptyKey"
  | "keyNotFound"
  | "valueProvided"
  | "leaseProvided"
  | "tooManyOps"
  | "duplicateKey"
  | "requestTooLarge"
  | "compacted"
  | "futureRevision"
  | "leaseNotFound"
  | "leaseExists"
  | "leaseTooLong"
  | "tooManyRequests"
  | "noSpace"
  | "stopped"
  | "authNotEnabled"
  | "rootUserMissing";

/** What the server refuses, with etcd's gRPC codes and texts: clients match on both. */
export const Refusal: Readonly<Record<RefusalName, Refusal>> = {
  emptyKey: { code: status.INVALID_ARGUMENT, details: "etcdserver: key is not provided" },
  keyNotFound: { code: status.INVALID_ARGUMENT, details: "etcdserver: key not found" },
  valueProvided: { code: status.INVALID_ARGUMENT, details: "etcdserver: value is provided" },
  leaseProvided: { code: status.INVALID_ARGUMENT, details: "etcdserver: lease is provided" },
  tooManyOps: { code: status.INVALID_ARGUMENT, details: "etcdserver: too many operations in txn request" },
  duplicateKey: { code: status.INVALID_ARGUMENT, details: "etcdserver: duplicate key given in txn request" },
  requestTooLarge: { code: status.INVALID_ARGUMENT, details: "etcdserver: request is too large" },
  compacted: {
    code: status.OUT_OF_RANGE,
    details: "etcdserver: mvcc: required revision has been compacted",
  },
  futureRevision: {
    code: status.OUT_OF_RANGE,
    details: "etcdserver: mvcc: required revision is a future revision",
  },
  leaseNotFound: { code: status.NOT_FOUND, details: "etcdserver: requested lease not found" },
  leaseExists: { code: status.FAILED_PRECONDITION, details: "etcdserver: lease already exists" },
  leaseTooLong: { code: status.OUT_OF_RANGE, details: "etcdserver: too large lease TTL" },
  tooManyRequests: { code: status.RESOURCE_EXHAUSTED, details: "etcdserver: too many requests" },
  noSpace: { code: status.RESOURCE_EXHAUSTED, details: "etcdserver: mvcc: database space exceeded" },
  stopped: { code: status.UNAVAILABLE, details: "etcdserver: server stopped" },
  authNotEnabled: { code: status.FAILED_PRECONDITION, details: "etcdserver: authentication is not enabled" },
  rootUserMissing: { code: status.FAILED_PRECONDITION, details: "etcdserver: root user does not exist" },
};

/** A request that is answered with a gRPC status. It is thrown before anything was changed. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  /** gRPC status code. */
  readonly code: number;
  readonly details: string;

  constructor(refusal: Refusal, options?: { readonly cause?: unknown }) {
    super(refusal.details, options);
    this.code = refusal.code;
    this.details = refusal.details;
  }
}
