/** What a lab command could not do, in words for the person who asked: the thing and the next step. */
export class LabError extends Error {
  override readonly name = "LabError";
}
