import type { RateLimit, ShapedInterface } from "@caracal/dataplane";
import { type DirectionQos, directionQos, type WorkloadEndpoint } from "@caracal/resources";

const bitsPerByte = 8;

/** What the endpoints' interfaces may carry; interfaces without limits are left out. */
export function shapedInterfaces(endpoints: readonly WorkloadEndpoint[]): readonly ShapedInterface[] {
  return endpoints.flatMap(({ spec: { interfaceName, qosControls } }) => {
    if (interfaceName === undefined || qosControls === undefined) return [];
    const ingress = limitOf(directionQos(qosControls, "ingress"));
    const egress = limitOf(directionQos(qosControls, "egress"));
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

function limitOf({ bandwidth, burst, peakrate, minburst }: DirectionQos): RateLimit | undefined {
  if (bandwidth === undefined || bandwidth < bitsPerByte) return undefined;
  const peak =
    peakrate === undefined || peakrate <= bandwidth
      ? undefined
      : {
          bytesPerSecond: Math.trunc(peakrate / bitsPerByte),
          ...(minburst !== undefined && { bytes: minburst }),
        };
  return {
    bytesPerSecond: Math.trunc(bandwidth / bitsPerByte),
    burstBytes: Math.trunc(burst / bitsPerByte),
    ...(peak !== undefined && { peak }),
  };
}
