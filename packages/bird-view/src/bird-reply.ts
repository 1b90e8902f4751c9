/** One reply as BIRD's client protocol has it: lines of text, each with its code; the last line ends the reply. */
export interface BirdLine {
  readonly code: number;
  readonly text: string;
  readonly isLast: boolean;
}

/** BIRD 1.6 reply codes that the view sends. */
export const BirdCode = {
  ok: 0,
  welcome: 1,
  status: 13,
  routeCount: 14,
  restricted: 16,
  recovery: 24,
  version: 1000,
  protocol: 1002,
  protocolDetails: 1006,
  route: 1007,
  routeType: 1008,
  statusDetails: 1011,
  attributes: 1012,
  protocolHeader: 2002,
  networkNotFound: 8001,
  protocolNotFound: 8003,
  accessDenied: 8007,
  syntaxError: 9001,
  notAProtocol: 9002,
} as const;

/** A line that others follow. */
export function moreLine(code: number, text: string): BirdLine {
  return { code, text, isLast: false };
}

/** The line that ends a reply. */
export function lastLine(code: number, text = ""): BirdLine {
  return { code, text, isLast: true };
}

/** Codes a reply's lines: `NNNN-text` goes on, `NNNN text` ends, and a line of the same code as before needs only a blank. */
export class BirdLineEncoder {
  #previousCode = -1;

  encode(line: BirdLine): string {
    const isRepeat = !line.isLast && line.code === this.#previousCode;
    this.#previousCode = line.code;
    if (isRepeat) return ` ${line.text}\n`;
    return `${String(line.code).padStart(4, "0")}${line.isLast ? " " : "-"}${line.text}\n`;
  }
}
