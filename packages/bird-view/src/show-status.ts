import { Ipv4 } from "@caracal/net";
import { BirdCode, type BirdLine, lastLine, moreLine } from "./bird-reply.ts";
import type { BirdSnapshot } from "./bird-snapshot.ts";
import { formatMoment } from "./bird-time.ts";

/** `show status`: version, router ID and the three moments. */
export function* showStatus(snapshot: BirdSnapshot): Generator<BirdLine> {
  yield moreLine(BirdCode.version, `BIRD ${snapshot.version}`);
  yield moreLine(BirdCode.statusDetails, `Router ID is ${Ipv4.format(snapshot.routerId)}`);
  yield moreLine(BirdCode.statusDetails, `Current server time is ${formatMoment(snapshot.nowMs)}`);
  yield moreLine(BirdCode.statusDetails, `Last reboot on ${formatMoment(snapshot.bootedAtMs)}`);
  yield moreLine(BirdCode.statusDetails, `Last reconfiguration on ${formatMoment(snapshot.configuredAtMs)}`);
  if (snapshot.recovery !== undefined) {
    const { waitingCount, timer } = snapshot.recovery;
    yield moreLine(BirdCode.recovery, "Graceful restart recovery in progress");
    yield moreLine(BirdCode.recovery, `  Waiting for ${waitingCount} protocols to recover`);
    yield moreLine(
      BirdCode.recovery,
      `  Wait timer is ${Math.round(timer.leftSeconds)}/${timer.totalSeconds}`,
    );
  }
  yield lastLine(BirdCode.status, "Daemon is up and running");
}
