import { StoreError, type StoreErrorCode } from "@caracal/datastore";
import { failureReason } from "./failure-reason.ts";
import { GrpcStatus } from "./grpc-status.ts";

/** What gRPC tells of a failed call. */
export interface CallFailure {
  readonly code: number;
  readonly details: string;
}

/** Narrows what a call threw or emitted. */
export function isCallFailure(error: unknown): error is CallFailure & Error {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "number" &&
    "details" in error &&
    typeof error.details === "string"
  );
}

/** The `StoreError` that a failed call is; `where` names the endpoint asked. */
export function mapError(error: unknown, where: string): StoreError {
  if (error instanceof StoreError) return error;
  if (!isCallFailure(error))
    return new StoreError("unavailable", `${where}: ${String(error)}`, { cause: error });
  const isFull = error.code === GrpcStatus.resourceExhausted && error.details.includes("space exceeded");
  return new StoreError(codeOf(error), `${where}: ${failureReason(error.details)}`, { cause: error, isFull });
}

/** Whether the call never left this process, so that even a write may be tried elsewhere. */
export function isUnsent(error: unknown): boolean {
  return (
    isCallFailure(error) &&
    error.code === GrpcStatus.unavailable &&
    /^(No connection established|Name resolution failed|Failed to connect)/.test(error.details)
  );
}

/** Whether this server cannot answer now and another might. */
export function isUnavailable(error: unknown): boolean {
  return isCallFailure(error) && codeOf(error) === "unavailable";
}

function codeOf({ code, details }: CallFailure): StoreErrorCode {
  switch (code) {
    case GrpcStatus.unauthenticated:
    case GrpcStatus.permissionDenied:
      return "unauthorized";
    case GrpcStatus.outOfRange:
      return details.includes("compacted") ? "compacted" : "invalid";
    case GrpcStatus.invalidArgument:
      // etcd says so of a wrong password and of a call without a user.
      return /authentication failed|user name|auth token/.test(details) ? "unauthorized" : "invalid";
    case GrpcStatus.failedPrecondition:
    case GrpcStatus.unimplemented:
    case GrpcStatus.notFound:
      return "invalid";
    case GrpcStatus.resourceExhausted:
      // gRPC says so of a message above its bound; etcd of a full disk quota or too many requests.
      return details.includes("larger than max") ? "invalid" : "unavailable";
    default:
      return "unavailable";
  }
}
