import type { RateLimit, ShapedInterface } from "@caracal/dataplane";
import type { WorkloadEndpoint } from "@caracal/resources";

const bitsPerByte = 8;
/** When an endpoint says none (fact sheet on CNI, "Bandwidth"). */
const defaultBurstBits = 4 * 2 ** 30;

/** What the endpoints' interfaces may carry; interfaces without limits are left out. */
export function shapedInterfaces(endpoints: readonly WorkloadEndpoint[]): readonly ShapedInterface[] {
  return endpoints.flatMap(({ spec: { interfaceName, qosControls } }) => {
    if (interfaceName === undefined || qosControls === undefined) return [];
    const ingress = limitOf(qosControls, "ingress");
    const egress = limitOf(qosControls, "egress");
    if (ingress === undefined && egress === undefined) return [];
    return [
      {
        name: interfaceName,
        ...(ingress !== undefined && { ingress }),
        ...(egress !== undefined && { egress }),
      },
    ];
  });
}

/** Anyone may have written the endpoint: what is no sensible number counts as absent. */
function limitOf(
  controls: Readonly<Record<string, unknown>>,
  direction: "ingress" | "egress",
): RateLimit | undefined {
  const read = (name: string): number | undefined => {
    const value = controls[`${direction}${name}`];
    return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
  };
  const bits = read("Bandwidth");
  if (bits === undefined || bits < bitsPerByte) return undefined;
  const peakBits = read("Peakrate");
  const minBurst = read("Minburst");
  const peak =
    peakBits === undefined || peakBits <= bits
      ? undefined
      : {
          bytesPerSecond: Math.trunc(peakBits / bitsPerByte),
          ...(minBurst !== undefined && { bytes: minBurst }),
        };
  return {
    bytesPerSecond: Math.trunc(bits / bitsPerByte),
    burstBytes: Math.trunc((read("Burst") ?? defaultBurstBits) / bitsPerByte),
    ...(peak !== undefined && { peak }),
  };
}
