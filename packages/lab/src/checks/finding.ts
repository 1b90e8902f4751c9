/** One thing that is expected of a lab, and what was there. */
export interface Finding {
  readonly kind: "session" | "route" | "path" | "output" | "capture";
  /** The node, switch or pod. */
  readonly on: string;
  readonly expected: string;
  readonly found: string;
  readonly ok: boolean;
}

/** A finding that is not as expected, in one line. */
export function describeFinding({ on, expected, found }: Finding): string {
  return `${on}: expected ${expected}; found ${found}`;
}
