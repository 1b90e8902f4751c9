/** Names that routers show for well-known communities, as the numbers they stand for. */
const wellKnown: Readonly<Record<string, string>> = {
  "graceful-shutdown": "65535:0",
  "accept-own": "65535:1",
  "llgr-stale": "65535:6",
  "no-llgr": "65535:7",
  blackhole: "65535:666",
  "no-export": "65535:65281",
  "no-advertise": "65535:65282",
  "no-export-subconfed": "65535:65283",
  "local-AS": "65535:65283",
  "no-peer": "65535:65284",
};

/** `65001:1` whatever the router calls it. */
export function communityNumbers(text: string): string {
  return wellKnown[text] ?? text;
}

/** `65001:1` of 32 bits. */
export function communityOf(value: number): string {
  return `${Math.floor(value / 0x10000)}:${value % 0x10000}`;
}
