import { type IpFamily, Prefix } from "@caracal/net";
import { isRecord, parseJson } from "@caracal/resources";
import { CniCode, CniError } from "./cni-error.ts";

/** What Calico's configurations say for `host-local` where the node's own pod networks shall stand. */
const placeholders: ReadonlyMap<unknown, IpFamily> = new Map([
  ["usePodCidr", 4],
  ["usePodCidrIPv6", 6],
]);

/**
 * The configuration with the node's pod networks in the place of `usePodCidr` and `usePodCidrIPv6`, in `ipam.subnet` and in
 * the `subnet` of each of `ipam.ranges`. One that has neither is left as it is. Throws code 11 while the node has no network
 * of that family: its orchestrator gives it one.
 */
export function withPodCidrs(stdin: string, podCidrs: () => readonly string[]): string {
  if (!stdin.includes("usePodCidr")) return stdin;
  const parsed = parseJson(stdin);
  if (parsed.kind === "bad" || !isRecord(parsed.value) || !isRecord(parsed.value["ipam"])) return stdin;
  const { ipam } = parsed.value;
  const ranges: unknown = ipam["ranges"];
  const filled = {
    ...withSubnet(ipam, podCidrs),
    ...(Array.isArray(ranges) && {
      ranges: ranges.map((set: unknown) =>
        Array.isArray(set)
          ? set.map((range: unknown) => (isRecord(range) ? withSubnet(range, podCidrs) : range))
          : set,
      ),
    }),
  };
  return JSON.stringify({ ...parsed.value, ipam: filled });
}

function withSubnet(
  range: Readonly<Record<string, unknown>>,
  podCidrs: () => readonly string[],
): Readonly<Record<string, unknown>> {
  const family = placeholders.get(range["subnet"]);
  if (family === undefined) return range;
  const subnet = podCidrs().find((text) => Prefix.parse(text)?.family === family);
  if (subnet !== undefined) return { ...range, subnet };
  const message = `the node has no IPv${family} pod network, and ipam names it by ${String(range["subnet"])}`;
  throw new CniError(CniCode.tryAgainLater, message);
}
