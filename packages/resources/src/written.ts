/** A record and its text in the store. */
export interface Written<T> {
  readonly record: T;
  readonly text: string;
}
