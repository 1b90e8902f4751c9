/** The part of a web `AbortSignal` that the pure floors need: every `AbortSignal` is one. */
export interface Cancellation {
  readonly aborted: boolean;
  addEventListener(kind: "abort", listener: () => void): void;
  removeEventListener(kind: "abort", listener: () => void): void;
}
