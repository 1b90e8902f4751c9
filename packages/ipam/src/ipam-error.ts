/**
 * - `contention`: a write lost against others too many times in a row.
 * - `corrupt`: a record in the store is not what it should be.
 * - `busy`: more requests wait than the queue holds.
 */
export type IpamErrorCode = "contention" | "corrupt" | "busy";

/** Why IPAM could not do its work; what a correct caller must expect (no address left) is a value instead. */
export class IpamError extends Error {
  override readonly name = "IpamError";
  readonly code: IpamErrorCode;

  constructor(code: IpamErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** How often a compare-and-swap is tried before giving up, unless told. */
export const defaultAttempts = 100;

/** What gives up a compare-and-swap. */
export function contention(): IpamError {
  return new IpamError("contention", "Max retries hit - excessive concurrent IPAM requests");
}
