/** Error codes: those of the CNI specification ("Error"), and from 100 on those of this plugin. */
export const CniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS: ADD cannot be served. */
  notAvailable: 50,
  internal: 100,
  /** No pool gave an address. */
  noAddress: 101,
  /** The interface to be made is there already and is somebody else's. */
  interfaceExists: 102,
  /** CHECK found something other than what ADD made. */
  checkFailed: 103,
} as const;
export type CniCode = (typeof CniCode)[keyof typeof CniCode];

/** What a runtime's log can bear of each text: a configuration may be a megabyte, and errors repeat parts of it. */
const shownCharacters = 4096;

/** Why a call fails, as the runtime is told: one sentence, and what a person may want to know besides. */
export class CniError extends Error {
  override readonly name = "CniError";
  /** One of `CniCode`, or a delegated plugin's own. */
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, details = "", options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  /** What a runtime reads on stdout. */
  toJson(cniVersion: string): string {
    const { code } = this;
    const [msg = "", details = ""] = [this.message, this.details].map((text) =>
      text.slice(0, shownCharacters),
    );
    return `${JSON.stringify({ cniVersion, code, msg, ...(details !== "" && { details }) })}\n`;
  }
}
