import {
  chosenApiGroup,
  findApiServer,
  type FindOptions,
  type Variables,
} from "./credentials/find-api-server.ts";
import { KubernetesStore } from "./kubernetes-store.ts";

/** The store that Calico's variables describe. It connects when first used; what is wrong with the variables is thrown now. */
export async function openKubernetesStore(
  variables: Variables,
  options: FindOptions = {},
): Promise<KubernetesStore> {
  const apiGroup = chosenApiGroup(variables);
  const server = await findApiServer(variables, options);
  return new KubernetesStore({ server, ...(apiGroup === undefined ? {} : { apiGroup }) });
}
