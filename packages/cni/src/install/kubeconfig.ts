import type { KubernetesAccess } from "./install-settings.ts";

/** A kubeconfig of one cluster and one token, as install-cni writes it for the plugin. */
export function kubeconfigText(
  access: KubernetesAccess,
  token: string,
  certificateAuthority: string | undefined,
): string {
  const { host, port, protocol, skipsVerification } = access;
  const server = `${protocol}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const trust = skipsVerification
    ? ["    insecure-skip-tls-verify: true"]
    : certificateAuthority === undefined
      ? []
      : [`    certificate-authority-data: ${Buffer.from(certificateAuthority).toString("base64")}`];
  return [
    "# Kubernetes as the CNI plugin calico reaches it; written by `caracal cni install`.",
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    "- name: local",
    "  cluster:",
    `    server: ${JSON.stringify(server)}`,
    ...trust,
    "users:",
    "- name: calico",
    "  user:",
    `    token: ${JSON.stringify(token.trim())}`,
    "contexts:",
    "- name: calico-context",
    "  context:",
    "    cluster: local",
    "    user: calico",
    "current-context: calico-context",
    "",
  ].join("\n");
}
