import { isSubdomain } from "./metadata.ts";
import { problem, type Problem } from "./problem.ts";

/** What a field that names another object must look like, in Calico's terms. */
const allowed = "lower case letters, digits, '-' and '.', as in names of resources";

/**
 * Problems of the fields that name other objects, each a text or a list of them by its path. Calico holds them to the form that the
 * names themselves have: what is written otherwise can be nothing's name.
 */
export function checkNames(
  fields: Readonly<Record<string, string | readonly string[] | undefined>>,
): readonly Problem[] {
  return Object.entries(fields).flatMap(([path, found]) => {
    if (found === undefined) return [];
    if (typeof found === "string") return checkName(path, found);
    return found.flatMap((name, index) => checkName(`${path}[${index}]`, name));
  });
}

function checkName(path: string, name: string): readonly Problem[] {
  return isSubdomain(name) ? [] : [problem(path, name, "is not the form of a name", { allowed })];
}
