/**
 * An unquoted value that is not what it looks like: `no` is false and `010` is 8 to older YAML, which Calico's tools read, and
 * `1e3` as text would become `1000`. What it means depends on the field it stands in.
 */
export class AmbiguousScalar {
  /** As it was written. */
  readonly text: string;
  readonly meaning: boolean | number;
  /** Whether YAML's versions disagree on the number. */
  readonly isOctal: boolean;

  constructor(text: string, meaning: boolean | number, isOctal = false) {
    this.text = text;
    this.meaning = meaning;
    this.isOctal = isOctal;
  }
}

/** Levels that a document may be nested: no resource comes near, and a deeper one would be read by recursion. */
export const maxNesting = 100;
